//! Which context a server uses: by the host name that the client asks for (RFC 6066 section 3).

use std::sync::Arc;

use super::context::ServerContext;

/// The contexts of a server.
#[derive(Clone, Debug, Default)]
pub struct ServerContexts {
    /// For clients that name no host, or one that nothing else is for.
    pub default: Option<Arc<ServerContext>>,
    /// By name, in lower case; `*.` at the front stands for one label. A name as it is comes first.
    pub named: Vec<(String, Arc<ServerContext>)>,
    /// Names that are not among these are asked for: `SNICallback`.
    pub asks: bool,
}

/// What a ClientHello leads to.
#[derive(Debug)]
pub enum Choice {
    Use(Arc<ServerContext>),
    Ask,
    /// Nothing is for that name.
    Refuse,
}

impl ServerContexts {
    pub fn choose(&self, name: Option<&str>) -> Choice {
        if let Some(name) = name {
            let name = name.to_ascii_lowercase();
            let exact = self.named.iter().find(|(pattern, _)| *pattern == name);
            let found = exact.or_else(|| self.named.iter().find(|(own, _)| is_for(own, &name)));
            if let Some((_, context)) = found {
                return Choice::Use(context.clone());
            }
            if self.asks {
                return Choice::Ask;
            }
        }
        match &self.default {
            Some(context) => Choice::Use(context.clone()),
            None => Choice::Refuse,
        }
    }
}

/// Whether a pattern with a star is for `name`.
fn is_for(pattern: &str, name: &str) -> bool {
    pattern.strip_prefix("*.").is_some_and(|parent| {
        name.split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
    })
}

#[cfg(test)]
mod tests {
    use super::is_for;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(is_for("*.example", "a.example"));
        assert!(!is_for("*.example", "b.a.example"));
        assert!(!is_for("*.example", "example"));
        assert!(!is_for("*.example", ".example"));
        assert!(!is_for("a.example", "a.example"));
    }
}
