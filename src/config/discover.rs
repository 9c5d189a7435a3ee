//! What can be told about an OpenClaw that nobody configured: its gateway's port.
//!
//! Invariant: pure; total on any bytes.

use super::yaml::{self, Node};

/// OpenClaw's own default.
pub const GATEWAY_PORT: u16 = 18_789;

/// `gateway.port` of an `openclaw.json` (JSON5: comments, trailing commas, bare keys), or
/// [`GATEWAY_PORT`] when it says none or cannot be read.
pub fn gateway_port(openclaw_json: &[u8]) -> u16 {
    tree(openclaw_json)
        .and_then(|tree| tree.get("gateway")?.get("port")?.text()?.parse().ok())
        .filter(|port| *port != 0)
        .unwrap_or(GATEWAY_PORT)
}

/// `gateway.reload.mode` of an `openclaw.json`: whether the gateway applies changes by itself. `None` when it says none or
/// cannot be read; OpenClaw's default is `hybrid`.
pub fn reload_mode(openclaw_json: &[u8]) -> Option<String> {
    let tree = tree(openclaw_json)?;
    let mode = tree.get("gateway")?.get("reload")?.get("mode")?.text()?;
    Some(mode.to_owned())
}

fn tree(openclaw_json: &[u8]) -> Option<Node> {
    let text = std::str::from_utf8(openclaw_json).ok()?;
    yaml::parse("openclaw.json", as_flow_yaml(text).as_bytes()).ok()
}

/// JSON5 as YAML's flow style: comments go, and every colon outside of strings gets its space.
fn as_flow_yaml(json5: &str) -> String {
    let mut flow = String::with_capacity(json5.len() + 64);
    let mut letters = json5.chars().peekable();
    let mut quote = None;
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => {
                flow.push(letter);
                flow.extend(letters.next());
            }
            (Some(open), _) => {
                flow.push(letter);
                if letter == open {
                    quote = None;
                }
            }
            (None, '/') if letters.peek() == Some(&'/') => {
                letters.by_ref().find(|letter| *letter == '\n');
                flow.push('\n');
            }
            (None, '/') if letters.peek() == Some(&'*') => {
                letters.next();
                let mut before = ' ';
                letters
                    .by_ref()
                    .find(|letter| std::mem::replace(&mut before, *letter) == '*' && *letter == '/');
                flow.push(' ');
            }
            (None, ':') => flow.push_str(": "),
            (None, '\t') => flow.push(' '),
            (None, _) => {
                if matches!(letter, '"' | '\'') {
                    quote = Some(letter);
                }
                flow.push(letter);
            }
        }
    }
    flow
}

#[cfg(test)]
mod tests {
    use super::{gateway_port, reload_mode};

    #[test]
    fn the_port_is_read_from_json_and_json5_alike() {
        let texts = [
            r#"{"gateway":{"mode":"local","port":19001}}"#,
            "{\n\t// local\n\tgateway: {\n\t\tport: 19001, /* ours: */\n\t},\n}\n",
            "{ 'gateway':{port:19001}, url: \"http://x//y\" }",
        ];
        for text in texts {
            assert_eq!(gateway_port(text.as_bytes()), 19_001, "{text}");
        }
    }

    #[test]
    fn the_reload_mode_is_read_where_it_is_said() {
        let said = "{ gateway: { reload: { mode: 'off' } /* by hand */, } }";
        assert_eq!(reload_mode(said.as_bytes()).as_deref(), Some("off"));
        for silent in ["{}", "{\"gateway\":{\"reload\":[]}}", "{{{", "\u{0}"] {
            assert_eq!(reload_mode(silent.as_bytes()), None, "{silent}");
        }
    }

    #[test]
    fn else_it_is_the_one_that_openclaw_takes() {
        let texts: [&[u8]; 7] = [
            b"",
            b"{}",
            b"{\"gateway\":{}}",
            b"\xff",
            b"{\"gateway\":{\"port\":99999}}",
            b"{{{{",
            b"{\"gateway\":{\"port\":0}}",
        ];
        for text in texts {
            assert_eq!(gateway_port(text), 18_789);
        }
    }
}
