//! Shell: kind `tcp`: whether something accepts a connection. Refused and timed out are answers.

use super::Ask;
use super::http::unanswered;
use crate::clock;
use crate::http::client::connect;
use crate::probe::declaration::Tcp;
use crate::words::{Cause, Finding};

pub async fn ask(tcp: &Tcp, ask: &Ask<'_>) -> Finding {
    let address = match ask.fill(&tcp.address).await {
        Ok(address) => address,
        Err(finding) => return finding,
    };
    let Some((host, port)) = split(&address) else {
        let why = format!("{address:?} is not host:port; correct the probe's address");
        return Finding::unknown(Cause::Misconfigured, why);
    };
    let began = clock::instant();
    match connect(host, port, ask.patience).await {
        Ok(_) => {
            let elapsed = clock::instant().since(began).as_millis();
            Finding::ok(format!("{address} accepts connections"))
                .with_evidence("asked", &address)
                .with_evidence("latency", format!("{elapsed} ms"))
        }
        Err(error) => unanswered(&address, &error).with_evidence("asked", &address),
    }
}

/// `host:port` or `[v6]:port`.
pub(super) fn split(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(v6) => v6,
        // `::1:80` could mean two things.
        None if host.contains(':') => return None,
        None => host,
    };
    (!host.is_empty()).then_some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::super::Scene;
    use super::*;
    use crate::words::Answer;

    async fn asked(address: &str) -> Finding {
        let tcp = Tcp {
            address: address.into(),
        };
        ask(&tcp, &Scene::node().ask()).await
    }

    #[tokio::test]
    async fn a_listener_is_ok_and_a_closed_port_is_down() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        assert_eq!(asked(&address).await.answer, Answer::Ok);
        drop(listener);
        let refused = asked(&address).await;
        assert_eq!(refused.answer, Answer::Down);
        assert_eq!(refused.summary, format!("{address}: connection refused"));
    }

    #[tokio::test]
    async fn what_cannot_be_an_address_is_our_mistake_not_an_outage() {
        for address in [
            "nonsense",
            ":80",
            "host:",
            "::1:80",
            "127.0.0.1:{port}",
            "127.0.0.1:99999",
        ] {
            let finding = asked(address).await;
            assert_eq!(finding.cause, Some(Cause::Misconfigured), "{address}");
        }
    }

    #[test]
    fn addresses_are_split_as_they_are_written() {
        assert_eq!(split("localhost:80"), Some(("localhost", 80)));
        assert_eq!(split("[::1]:80"), Some(("::1", 80)));
    }
}
