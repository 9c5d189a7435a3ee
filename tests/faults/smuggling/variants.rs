//! The requests: what is sent, and what a strict parser (RFC 9112) sees in it.

use super::Heard;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    Public,
    Control,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Nothing that may be answered as if it were whole and clear.
    Refused,
    /// So many requests.
    Requests(usize),
    /// One request, the last of its connection, and then something that is none of it.
    Last,
}

#[derive(Clone, Debug)]
pub struct Variant {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub sees: Sees,
    /// Sent so many bytes at a time; 0: at once.
    pub piece: usize,
}

impl Variant {
    pub fn answers_max(&self) -> usize {
        match self.sees {
            Sees::Refused | Sees::Last => 1,
            Sees::Requests(requests) => requests,
        }
    }

    /// Its answers have no body, whatever they say of its length.
    pub fn is_head(&self) -> bool {
        self.bytes.starts_with(b"HEAD ")
    }

    pub fn judge(&self, heard: &Heard) {
        let most = self.answers_max();
        if self.sees == Sees::Last {
            assert!(
                heard.is_closed,
                "it was the last, and the connection is kept: {heard:?}"
            );
            // Being told so is no answer.
            let more = heard.statuses.get(1..).unwrap_or_default();
            assert!(
                more.iter().all(|status| *status == 400),
                "something behind the last is answered: {heard:?}"
            );
            return;
        }
        assert!(heard.statuses.len() <= most, "{most} request(s), and {heard:?}");
        match self.sees {
            Sees::Refused => {
                assert!(
                    heard.is_closed,
                    "it is ambiguous, and the connection is kept: {heard:?}"
                );
                let is_refusal = |status: &u16| (400..600).contains(status);
                assert!(
                    heard.statuses.iter().all(is_refusal),
                    "it is ambiguous, and answered: {heard:?}"
                );
            }
            Sees::Last => {}
            Sees::Requests(requests) => {
                assert!(!heard.statuses.is_empty(), "no answer: {heard:?}");
                let is_whole = heard.statuses.len() == requests || heard.is_closed;
                assert!(
                    is_whole,
                    "{requests} request(s), and the connection is kept after {heard:?}"
                );
            }
        }
    }
}

/// All of them, for one surface. What is hidden asks for `/startupz`, which nobody else does, or drains the node.
pub fn variants(surface: Surface) -> Vec<Variant> {
    let all = All {
        surface,
        variants: Vec::new(),
    };
    all.lengths().codings().chunks().lines().forms().measures().variants
}

struct All {
    surface: Surface,
    variants: Vec<Variant>,
}

impl All {
    /// The request that carries: its line and its Host.
    fn carrier(&self) -> &'static str {
        match self.surface {
            Surface::Public => "POST /livez HTTP/1.1\r\nHost: localhost\r\n",
            Surface::Control => "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\n",
        }
    }

    fn hidden(&self) -> &'static str {
        match self.surface {
            Surface::Public => "GET /startupz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            Surface::Control => "POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        }
    }

    fn add(&mut self, name: &'static str, text: impl Into<Vec<u8>>, sees: Sees) {
        let (bytes, piece) = (text.into(), 0);
        self.variants.push(Variant {
            name,
            bytes,
            sees,
            piece,
        });
    }

    /// The carrier with `fields`, and the hidden request as its body.
    fn carrying(&mut self, name: &'static str, fields: &str, sees: Sees) {
        let text = format!("{}{fields}\r\n\r\n{}", self.carrier(), self.hidden());
        self.add(name, text, sees);
    }

    /// The same with `body` before the hidden request.
    fn after(&mut self, name: &'static str, fields: &str, body: &str, sees: Sees) {
        let text = format!("{}{fields}\r\n\r\n{body}{}", self.carrier(), self.hidden());
        self.add(name, text, sees);
    }

    fn lengths(mut self) -> All {
        let length = self.hidden().len();
        self.carrying(
            "CL: the body is a request",
            &format!("Content-Length: {length}"),
            Sees::Requests(1),
        );
        self.carrying(
            "CL twice, 0 and N",
            &format!("Content-Length: 0\r\nContent-Length: {length}"),
            Sees::Refused,
        );
        self.carrying(
            "CL twice, N and 0",
            &format!("Content-Length: {length}\r\nContent-Length: 0"),
            Sees::Refused,
        );
        self.carrying(
            "CL twice in one line",
            &format!("Content-Length: {length}, {length}"),
            Sees::Refused,
        );
        for (name, value) in [
            ("CL with a plus", "+0"),
            ("CL with a minus", "-0"),
            ("CL hexadecimal", "0x0"),
            ("CL with an exponent", "0e0"),
            ("CL with a space within", "0 0"),
            ("CL with a list of two", "0,0"),
            ("CL empty", ""),
            ("CL quoted", "\"0\""),
            ("CL with a sign of another script", "\u{0660}"),
            ("CL beyond 64 bits", "18446744073709551616"),
            ("CL with a NUL", "0\0"),
            ("CL with a vertical tab", "\u{b}0"),
            ("CL with a bare CR", "0\r1"),
            ("CL and a point", "0.0"),
            ("CL underscored", "0_0"),
        ] {
            self.carrying(name, &format!("Content-Length: {value}"), Sees::Refused);
        }
        self.carrying("CL with a space before the colon", "Content-Length : 0", Sees::Refused);
        self.carrying("CL folded", "Content-Length:\r\n 0", Sees::Refused);
        self
    }

    fn codings(mut self) -> All {
        let length = self.hidden().len() + 5;
        let chunked = "Transfer-Encoding: chunked";
        let end = "0\r\n\r\n";
        self.after(
            "CL and TE",
            &format!("Content-Length: {length}\r\n{chunked}"),
            end,
            Sees::Refused,
        );
        self.after(
            "TE and CL",
            &format!("{chunked}\r\nContent-Length: {length}"),
            end,
            Sees::Refused,
        );
        self.after(
            "CL 0 and TE",
            &format!("Content-Length: 0\r\n{chunked}"),
            end,
            Sees::Refused,
        );
        for (name, field) in [
            ("TE: xchunked", "Transfer-Encoding: xchunked"),
            ("TE: chunked with a vertical tab", "Transfer-Encoding: \u{b}chunked"),
            ("TE with a space before the colon", "Transfer-Encoding : chunked"),
            ("TE with a tab before the colon", "Transfer-Encoding\t: chunked"),
            ("TE: a comma", "Transfer-Encoding: ,chunked"),
            ("TE: chunked, identity", "Transfer-Encoding: chunked, identity"),
            ("TE: gzip, chunked", "Transfer-Encoding: gzip, chunked"),
            ("TE: chunked twice in one", "Transfer-Encoding: chunked, chunked"),
            ("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            (
                "TE twice, the second another",
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
            ),
            (
                "TE twice, the first identity",
                "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
            ),
            ("TE: identity", "Transfer-Encoding: identity"),
            ("TE quoted", "Transfer-Encoding: \"chunked\""),
            ("TE with a NUL", "Transfer-Encoding: chunked\0"),
            ("TE in a folded line", "Transfer-Encoding:\r\n chunked"),
            ("TE behind a bare LF", "X: y\nTransfer-Encoding: xchunked"),
            ("TE behind a bare CR", "X: y\rTransfer-Encoding: chunked"),
            ("TE with an empty value", "Transfer-Encoding:"),
            ("TE: chunked; q=1", "Transfer-Encoding: chunked;q=1"),
        ] {
            // By the one reading the body ends before what is hidden, by the other after it.
            self.after(
                name,
                &format!("{field}\r\nContent-Length: {length}"),
                end,
                Sees::Refused,
            );
        }
        let chunk = format!("{:x}\r\n{}\r\n0\r\n\r\n", self.hidden().len(), self.hidden());
        for (name, field) in [
            ("TE: the chunk is a request", chunked),
            ("TE in capitals", "TRANSFER-ENCODING: CHUNKED"),
            ("TE behind a tab", "Transfer-Encoding:\tchunked"),
        ] {
            let text = format!("{}{field}\r\n\r\n{chunk}", self.carrier());
            self.add(name, text, Sees::Requests(1));
        }
        let http_1_0 = self.carrier().replace("HTTP/1.1", "HTTP/1.0");
        let text = format!("{http_1_0}{chunked}\r\n\r\n{end}{}", self.hidden());
        self.add("TE in HTTP/1.0", text, Sees::Refused);
        let no_host = self.carrier().replace("Host: localhost\r\n", "");
        let text = format!("{no_host}{chunked}\r\n\r\n{end}{}", self.hidden());
        self.add("TE without a Host", text, Sees::Refused);
        let text = format!("{no_host}Content-Length: 0\r\n\r\n{}", self.hidden());
        self.add("CL without a Host, and one more", text, Sees::Last);
        self
    }

    fn chunks(mut self) -> All {
        for (name, body) in [
            ("chunk: 0x0", "0x0\r\n\r\n"),
            ("chunk: +0", "+0\r\n\r\n"),
            ("chunk: -0", "-0\r\n\r\n"),
            ("chunk: no size", "\r\n\r\n"),
            ("chunk: no number", "z\r\n\r\n"),
            ("chunk: beyond 64 bits", "10000000000000000\r\n\r\n"),
            ("chunk: a size that is 0 in 64 bits", "ffffffffffffffff0\r\n\r\n"),
            ("chunk: data longer than its size", "1\r\nabc\r\n0\r\n\r\n"),
            ("chunk: data without its end", "1\r\na0\r\n\r\n"),
            ("chunk: LF after the size", "1\na\r\n0\r\n\r\n"),
            ("chunk: LF after the data", "1\r\na\n0\r\n\r\n"),
            ("chunk: CR after the size", "1\ra\r\n0\r\n\r\n"),
            ("chunk: LF within an extension", "1;a\nb\r\na\r\n0\r\n\r\n"),
            ("chunk: CR within an extension", "1;a\rb\r\na\r\n0\r\n\r\n"),
            ("chunk: NUL after the size", "1\0\r\na\r\n0\r\n\r\n"),
            ("chunk: the last ends with LF", "0\n\n"),
        ] {
            self.after(name, "Transfer-Encoding: chunked", body, Sees::Refused);
        }
        // What stands between the last chunk and an empty line is taken for trailers, and nothing of it is done.
        let name = "chunk: a request in the trailers";
        let sees = match self.surface {
            // Refused before its body is read.
            Surface::Public => Sees::Refused,
            Surface::Control => Sees::Requests(1),
        };
        self.after(name, "Transfer-Encoding: chunked", "0\r\n\n", sees);
        self
    }

    fn lines(mut self) -> All {
        for (name, fields) in [
            ("a field without a colon", "Content-Length: 0\r\nnonsense"),
            ("a field without a name", "Content-Length: 0\r\n: x"),
            ("a field with a space within its name", "Content-Length: 0\r\nX Y: z"),
            ("a folded field", "Content-Length: 0\r\nX: y\r\n z"),
            ("a NUL in a value", "Content-Length: 0\r\nX: y\0z"),
            ("a NUL in a name", "Content-Length: 0\r\nX\0Y: z"),
            ("a bare CR in a value", "Content-Length: 0\r\nX: y\rz"),
            ("a bare CR before the end", "Content-Length: 0\r\nX: y\r\r"),
            ("two Hosts", "Content-Length: 0\r\nHost: elsewhere"),
            (
                "a Host with a space before the colon",
                "Content-Length: 0\r\nHost : elsewhere",
            ),
        ] {
            self.carrying(name, fields, Sees::Refused);
        }
        let first_folded = self.carrier().replace("\r\nHost", "\r\n Host");
        let text = format!("{first_folded}Content-Length: 0\r\n\r\n{}", self.hidden());
        self.add("the first field begins with a space", text, Sees::Refused);
        self
    }

    fn forms(mut self) -> All {
        let path = match self.surface {
            Surface::Public => "/livez",
            Surface::Control => "/v1/status",
        };
        let hidden = self.hidden();
        let get = |line: &str, more: &str| format!("{line}\r\nHost: localhost\r\n{more}\r\n");
        let line = format!("GET {path} HTTP/1.1");
        self.add("two in one packet", get(&line, "") + &get(&line, ""), Sees::Requests(2));
        self.add(
            "one more behind Connection: close",
            get(&line, "Connection: close\r\n") + hidden,
            Sees::Last,
        );
        self.add(
            "one more behind close, keep-alive",
            get(&line, "Connection: close, keep-alive\r\n") + hidden,
            Sees::Last,
        );
        self.add(
            "one more behind HTTP/1.0",
            get(&line.replace("1.1", "1.0"), "") + hidden,
            Sees::Last,
        );
        self.add("one more behind no Host", format!("{line}\r\n\r\n{hidden}"), Sees::Last);
        let length = format!("Content-Length: {}\r\n", hidden.len());
        self.add(
            "a GET whose body is a request",
            get(&line, &length) + hidden,
            Sees::Requests(1),
        );
        self.add(
            "a HEAD whose body is a request",
            get(&line.replace("GET", "HEAD"), &length) + hidden,
            Sees::Requests(1),
        );
        for (name, line) in [
            ("HTTP/0.9", format!("GET {path}")),
            ("HTTP/1.2", format!("GET {path} HTTP/1.2")),
            ("HTTP/2.0 in a line", format!("GET {path} HTTP/2.0")),
            ("HTTP in small letters", format!("GET {path} http/1.1")),
            ("no version", format!("GET {path} ")),
            ("a tab for a space", format!("GET\t{path} HTTP/1.1")),
            ("a space in the path", format!("GET {path} x HTTP/1.1")),
            ("a NUL in the path", format!("GET {path}\0 HTTP/1.1")),
            ("no method", format!(" {path} HTTP/1.1")),
            ("a path that is none", "GET livez HTTP/1.1".to_owned()),
        ] {
            self.add(name, get(&line, &length) + hidden, Sees::Refused);
        }
        self.add(
            "the preface of HTTP/2",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0",
            Sees::Refused,
        );
        let upgrade =
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
        self.add("Upgrade: h2c", get(&line, upgrade), Sees::Requests(1));
        let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        self.add("Upgrade: websocket", get(&line, socket), Sees::Requests(1));
        self.add(
            "Upgrade: websocket, and a body",
            get(&line, &(socket.to_owned() + &length)) + hidden,
            Sees::Requests(1),
        );
        self.carrying(
            "Expect, and the body at once",
            &format!("Expect: 100-continue\r\n{}", length.trim_end()),
            Sees::Requests(1),
        );
        self.carrying(
            "Expect of something else",
            &format!("Expect: 200-ok\r\n{}", length.trim_end()),
            Sees::Requests(1),
        );
        self.add(
            "CONNECT",
            get("CONNECT localhost:80 HTTP/1.1", &length) + hidden,
            Sees::Requests(1),
        );
        self
    }

    fn measures(mut self) -> All {
        let line = "GET /livez HTTP/1.1\r\nHost: localhost\r\n";
        let long = "x".repeat(256 * 1024);
        self.add("a field of 256 KiB", format!("{line}X: {long}\r\n\r\n"), Sees::Refused);
        self.add(
            "a field's name of 256 KiB",
            format!("{line}{long}: x\r\n\r\n"),
            Sees::Refused,
        );
        self.add(
            "a path of 256 KiB",
            format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            Sees::Refused,
        );
        self.add(
            "a method of 256 KiB",
            format!("{long} / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            Sees::Refused,
        );
        let fields = |count: usize| {
            (0..count)
                .map(|number| format!("X-{number}: y\r\n"))
                .collect::<String>()
        };
        self.add("10 000 fields", format!("{line}{}\r\n", fields(10_000)), Sees::Refused);
        self.add("90 fields", format!("{line}{}\r\n", fields(90)), Sees::Requests(1));
        self.add(
            "a head that does not end",
            format!("{line}{}", fields(50)),
            Sees::Refused,
        );
        self.add(
            "empty lines before it",
            format!("\r\n\r\n{line}\r\n"),
            Sees::Requests(1),
        );
        self.add("nothing but empty lines", "\r\n".repeat(100_000), Sees::Refused);
        self.add("byte by byte", format!("{line}\r\n"), Sees::Requests(1));
        if let Some(last) = self.variants.last_mut() {
            last.piece = 1;
        }
        self
    }
}
