use super::*;

#[test]
fn accept_key_of_the_rfc() {
    // RFC 6455 section 1.3
    assert_eq!(
        &accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
        b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

#[test]
fn fields_read_as_in_node() {
    let fields = [
        ("X-A", "1"),
        ("x-a", "2"),
        ("HOST", "first"),
        ("host", "second"),
        ("Cookie", "a=1"),
        ("cookie", "b=2"),
        ("Connection", "keep-alive , Upgrade"),
    ];
    let headers = fields
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_string()))
        .collect();
    let head = Head { headers };
    assert_eq!(head.get("x-a").as_deref(), Some("1, 2"));
    assert_eq!(head.get("Host").as_deref(), Some("first"));
    assert_eq!(head.get("cookie").as_deref(), Some("a=1; b=2"));
    assert_eq!(head.get("missing"), None);
    assert_eq!((head.count("X-a"), head.count("missing")), (2, 0));
    assert!(head.has_token("connection", "upgrade"));
    assert!(!head.has_token("connection", "alive"));
}
