//! permessage-deflate in the opening handshake (RFC 7692 section 7.1).

/// What is asked of the server.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Deflate {
    /// Neither end refers to earlier messages.
    NoTakeover,
    /// Both ends may.
    Takeover,
    /// The same offer as for takeover, and any answer to it will do.
    Any,
}

/// What was agreed on: whether the server's compressor may refer to earlier messages. That of the
/// generator never does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Agreed {
    pub server_takeover: bool,
}

const NAME: &str = "permessage-deflate";
const SERVER: &str = "server_no_context_takeover";
const CLIENT: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits=";

impl Deflate {
    pub const NAMES: [(&str, Self); 3] = [
        ("no-takeover", Self::NoTakeover),
        ("takeover", Self::Takeover),
        ("any", Self::Any),
    ];

    pub fn name(self) -> &'static str {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(_, own)| *own == self)
            .map_or("", |pair| pair.0)
    }

    /// The value of the request's Sec-WebSocket-Extensions.
    pub fn offer(self) -> String {
        match self {
            Self::NoTakeover => format!("{NAME}; {SERVER}; {CLIENT}"),
            Self::Takeover | Self::Any => NAME.to_owned(),
        }
    }

    /// Judges the response's Sec-WebSocket-Extensions.
    pub fn judge(self, answer: Option<&str>) -> Result<Agreed, String> {
        let answer = answer.ok_or("the server did not accept permessage-deflate")?;
        let mut parts = answer.split(';').map(str::trim);
        if parts.next() != Some(NAME) {
            return Err(format!("the server accepted {answer:?}, not {NAME} alone"));
        }
        let params: Vec<&str> = parts.collect();
        let knows =
            |param: &str| [SERVER, CLIENT].contains(&param) || param.starts_with(SERVER_BITS);
        if let Some(param) = params.iter().find(|param| !knows(param)) {
            return Err(format!("{param:?}, which was not offered, in {answer:?}"));
        }
        let (server, client) = (params.contains(&SERVER), params.contains(&CLIENT));
        let asked = match self {
            Self::NoTakeover => server && client,
            Self::Takeover => !server && !client,
            Self::Any => true,
        };
        if !asked {
            return Err(format!(
                "asked for {}, the server accepted {answer:?}",
                self.name()
            ));
        }
        Ok(Agreed {
            server_takeover: !server,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

    #[test]
    fn a_server_accepts_what_was_asked() {
        let accepted = |deflate: Deflate, answer| deflate.judge(Some(answer)).unwrap();
        assert!(!accepted(Deflate::NoTakeover, BOTH).server_takeover);
        assert!(accepted(Deflate::Takeover, "permessage-deflate").server_takeover);
        assert!(accepted(Deflate::Any, "permessage-deflate").server_takeover);
        assert!(!accepted(Deflate::Any, BOTH).server_takeover);
        let narrow = "permessage-deflate;server_max_window_bits=12";
        assert!(accepted(Deflate::Takeover, narrow).server_takeover);
    }

    #[test]
    fn other_answers_are_faults() {
        for (deflate, answer) in [
            (Deflate::Any, None),
            (Deflate::Takeover, Some(BOTH)),
            (Deflate::NoTakeover, Some("permessage-deflate")),
            (
                Deflate::NoTakeover,
                Some("permessage-deflate; server_no_context_takeover"),
            ),
            (Deflate::Any, Some("x-webkit-deflate-frame")),
            (Deflate::Any, Some("permessage-deflate, permessage-deflate")),
            (
                Deflate::Any,
                Some("permessage-deflate; client_max_window_bits=15"),
            ),
        ] {
            assert!(deflate.judge(answer).is_err(), "{deflate:?} and {answer:?}");
        }
    }
}
