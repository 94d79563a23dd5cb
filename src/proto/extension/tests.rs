use super::*;

fn extension(name: &str, params: &[(&str, Option<&str>)]) -> Extension {
    Extension {
        name: name.to_owned(),
        params: params
            .iter()
            .map(|(n, v)| (n.to_string(), v.map(str::to_owned)))
            .collect(),
    }
}

#[test]
fn lists_keep_order_and_duplicates() {
    assert_eq!(parse("foo").unwrap(), [extension("foo", &[])]);
    assert_eq!(
        parse("foo; a=1;\tb ; a=2, bar, foo; c").unwrap(),
        [
            extension("foo", &[("a", Some("1")), ("b", None), ("a", Some("2"))]),
            extension("bar", &[]),
            extension("foo", &[("c", None)]),
        ]
    );
}

#[test]
fn quoted_values_are_unescaped() {
    assert_eq!(
        parse("foo; bar=\"hi\"").unwrap(),
        [extension("foo", &[("bar", Some("hi"))])]
    );
    assert_eq!(
        parse(r#"foo; bar="\b\a\z" , baz"#).unwrap(),
        [
            extension("foo", &[("bar", Some("baz"))]),
            extension("baz", &[])
        ]
    );
}

#[test]
fn malformed_values_have_the_texts_of_ws() {
    let table = [
        ("", "Unexpected end of input"),
        ("foo,", "Unexpected end of input"),
        ("foo ", "Unexpected end of input"),
        ("foo;", "Unexpected end of input"),
        ("foo; ", "Unexpected end of input"),
        ("foo; bar=", "Unexpected end of input"),
        ("foo; bar=\"", "Unexpected end of input"),
        ("foo; bar=\"b", "Unexpected end of input"),
        ("foo; bar=\"b\\", "Unexpected end of input"),
        ("foo; bar=\"b\" ", "Unexpected end of input"),
        (" foo", "Unexpected character at index 0"),
        (",", "Unexpected character at index 0"),
        ("foo,,bar", "Unexpected character at index 4"),
        ("foo;;", "Unexpected character at index 4"),
        ("foo bar", "Unexpected character at index 4"),
        ("foo; bar =1", "Unexpected character at index 9"),
        ("foo; bar= 1", "Unexpected character at index 9"),
        ("foo; bar=1 2", "Unexpected character at index 11"),
        ("foo; bar=\"\"", "Unexpected character at index 10"),
        ("foo; bar=\"a b\"", "Unexpected character at index 11"),
        ("foo; bar=\"\\\"\"", "Unexpected character at index 11"),
        ("foo; bar=\"a\"b", "Unexpected character at index 12"),
        ("foo; bar=a\"b", "Unexpected character at index 10"),
        ("é", "Unexpected character at index 0"),
        ("f\u{0}o", "Unexpected character at index 1"),
    ];
    for (header, text) in table {
        assert_eq!(parse(header).unwrap_err().to_string(), text, "{header:?}");
    }
}

#[test]
fn format_gives_back_what_was_parsed() {
    let value = "permessage-deflate; server_no_context_takeover; client_max_window_bits=10, foo";
    assert_eq!(format(&parse(value).unwrap()), value);
    assert_eq!(format(&parse("a;b=\"c\"").unwrap()), "a; b=c");
}
