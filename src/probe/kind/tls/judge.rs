//! What certificates mean: their dates, who believes them, for whom they are, and whether they are the file's. Pure.

use std::path::PathBuf;
use std::time::Duration;

use super::certificate::Certificate;
use super::handshake::{Chain, NoHandshake};
use super::trust::{Doubt, Trust, is_for};
use crate::config::units::write_span;
use crate::http::client::FetchError;
use crate::link::place::Fingerprint;
use crate::probe::declaration::Tls;
use crate::probe::kind::part::{Part, fuse};
use crate::words::{Cause, Finding, Wall};

/// One address, and what is expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// As it is shown: `host:port`.
    pub address: String,
    pub host: String,
    pub port: u16,
    pub trusted: Trusted,
    /// Nobody has said that it speaks TLS: plain is as good.
    pub may_be_plain: bool,
}

/// Why a served certificate is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// An authority signed it, for the host's name; or it is self-signed and the very one that a declared file holds.
    ByAuthority,
    /// It is the one in the gateway's own file, whatever name it bears: its clients pin it.
    ByFile,
    Pinned(Fingerprint),
}

/// What came of one address.
#[derive(Debug)]
pub struct Visit {
    pub site: Site,
    pub served: Result<Chain, NoHandshake>,
}

/// The file behind what is served.
#[derive(Clone, Debug)]
pub struct FileSeen {
    pub path: PathBuf,
    /// The operator named it: not being able to read it is a fault.
    pub is_declared: bool,
    /// Or why not, as a sentence after its path.
    pub content: Result<Vec<Certificate>, String>,
}

/// All that was seen in one ask.
#[derive(Debug)]
pub struct Seen {
    pub visits: Vec<Visit>,
    pub file: Option<FileSeen>,
    pub trust: Result<Trust, String>,
    pub notes: Vec<String>,
    pub misread: Vec<Part>,
}

/// The finding of all addresses and of the file: the worst speaks.
pub fn judge(tls: &Tls, seen: &Seen, now: Wall) -> Finding {
    let mut judging = Judging {
        tls,
        seen,
        now,
        parts: seen.misread.clone(),
        facts: Vec::new(),
        notes: seen.notes.clone(),
        days: Vec::new(),
        served: 0,
        is_file_served: false,
    };
    for visit in &seen.visits {
        judging.visit(visit);
    }
    judging.file();
    let soonest = judging.days.iter().map(|(_, days)| *days).min_by(f64::total_cmp);
    let all_well = match (judging.served, soonest) {
        (0, None) => "nothing serves TLS".to_owned(),
        (0, Some(days)) => format!("the certificate lasts for {} days", days.floor()),
        (1, Some(days)) => format!("the served certificate lasts for {} days", days.floor()),
        (count, days) => format!(
            "{count} served certificates, the first ends in {} days",
            days.unwrap_or_default().floor()
        ),
    };
    let mut finding = fuse(judging.parts, all_well);
    for (what, fact) in &judging.facts {
        finding.evidence_push(what, fact);
    }
    for note in &judging.notes {
        finding.note_push(note);
    }
    for (subject, days) in &judging.days {
        finding.measure("certificate_days_left", subject, *days);
    }
    finding
}

struct Judging<'a> {
    tls: &'a Tls,
    seen: &'a Seen,
    now: Wall,
    parts: Vec<Part>,
    facts: Vec<(String, String)>,
    notes: Vec<String>,
    /// Address or path, and what is left.
    days: Vec<(String, f64)>,
    served: usize,
    /// Somebody serves the file's certificate: its dates are judged there.
    is_file_served: bool,
}

impl<'a> Judging<'a> {
    fn visit(&mut self, visit: &Visit) {
        let site = &visit.site;
        let chain = match &visit.served {
            Ok(chain) => chain,
            Err(why) => return self.unserved(site, why),
        };
        let served = match chain.first().cloned().map(Certificate::parse) {
            Some(Ok(served)) => served,
            Some(Err(why)) => {
                return self
                    .parts
                    .push(Part::degraded(&site.address, format!("what is served {why}")));
            }
            None => {
                return self
                    .parts
                    .push(Part::degraded(&site.address, "no certificate is served"));
            }
        };
        self.served += 1;
        self.facts
            .push((format!("{} serves", site.address), described(&served)));
        let before = self.parts.len();
        self.dates(&site.address, &served);
        self.against_file(site, &served);
        match site.trusted {
            Trusted::ByAuthority => self.by_authority(site, &served, chain),
            Trusted::ByFile => self.by_file(&served),
            Trusted::Pinned(pinned) if pinned != served.fingerprint() => {
                let why = "serves another certificate than the pinned one: if that is meant, set gateway_fingerprint";
                self.parts.push(Part::degraded(&site.address, why));
            }
            Trusted::Pinned(_) => {}
        }
        if self.parts.len() == before {
            let seen = format!("lasts until {}", day(served.not_after));
            self.parts.push(Part::ok(&site.address, seen));
        }
    }

    fn unserved(&mut self, site: &Site, why: &NoHandshake) {
        let part = match why {
            NoHandshake::NotTls if site.may_be_plain => return,
            NoHandshake::NotTls => Part::down(&site.address, "what answers does not speak TLS"),
            NoHandshake::Impostor => Part::down(&site.address, "shows a certificate and has not its key"),
            // Whether the gateway runs is another check's to say; TLS was only thought possible here.
            NoHandshake::Failed(FetchError::Refused | FetchError::Closed) if site.may_be_plain => return,
            NoHandshake::Failed(error @ FetchError::TimedOut { .. }) if site.may_be_plain => {
                Part::unknown(Cause::Timeout, &site.address, error.to_string())
            }
            NoHandshake::Failed(error) if error.is_answer() => Part::down(&site.address, error.to_string()),
            NoHandshake::Failed(error @ FetchError::Url { .. }) => {
                Part::unknown(Cause::Misconfigured, &site.address, error.to_string())
            }
            NoHandshake::Failed(error) => Part::unknown(Cause::Local, &site.address, error.to_string()),
        };
        self.parts.push(part);
    }

    fn dates(&mut self, what: &str, certificate: &Certificate) {
        let left = certificate.not_after.millis_since(self.now);
        self.days.push((what.to_owned(), left as f64 / DAY_MILLIS as f64));
        let ends = day(certificate.not_after);
        if left <= 0 {
            let since = Duration::from_millis(left.unsigned_abs());
            let seen = format!("expired {} ago ({ends})", write_span(since));
            return self.parts.push(Part::down(what, seen));
        }
        if certificate.not_before > self.now {
            let seen = format!("is not valid before {}", certificate.not_before.rfc3339());
            return self.parts.push(Part::down(what, seen));
        }
        let seen = || match left / DAY_MILLIS {
            0 => format!("expires within a day ({})", certificate.not_after.rfc3339()),
            1 => format!("expires in 1 day ({ends})"),
            days => format!("expires in {days} days ({ends})"),
        };
        if left < days(self.tls.down_days) {
            self.parts.push(Part::down(what, seen()));
        } else if left < days(self.tls.warn_days) {
            self.parts.push(Part::degraded(what, seen()));
        }
    }

    fn by_authority(&mut self, site: &Site, served: &Certificate, chain: &Chain) {
        if self.is_pinned_by_declared_file(served) {
            return;
        }
        let trust = match &self.seen.trust {
            Ok(trust) => trust,
            Err(why) => {
                let seen = format!("whether it is believed cannot be told: {why}");
                return self
                    .parts
                    .push(Part::unknown(Cause::Misconfigured, &site.address, seen));
            }
        };
        match trust.believes(chain, self.now) {
            Ok(()) => self.later(site, served, chain, trust),
            // Its own dates were told already.
            Err(Doubt::Expired) if served.not_after <= self.now => {}
            Err(Doubt::Other(_)) if served.not_before > self.now => {}
            Err(doubt) => self
                .parts
                .push(Part::degraded(&site.address, doubted(doubt, served, chain.len()))),
        }
        if !is_for(&served.der, &site.host) {
            let names = match served.names.is_empty() {
                true => "names nobody (no subjectAltName)".to_owned(),
                false => format!("is for {}", served.names.join(", ")),
            };
            self.parts
                .push(Part::degraded(&site.address, format!("{names}, not for {}", site.host)));
        }
    }

    /// A chain that holds today and not for as long as the certificate itself: what is between ends first.
    fn later(&mut self, site: &Site, served: &Certificate, chain: &Chain, trust: &Trust) {
        let fails_within = |limit: u64| {
            let then = self.now.plus_millis(days(limit));
            served.not_after > then && trust.believes(chain, then) == Err(Doubt::Expired)
        };
        let within = match (fails_within(self.tls.down_days), fails_within(self.tls.warn_days)) {
            (true, _) => self.tls.down_days,
            (false, true) => self.tls.warn_days,
            (false, false) => return,
        };
        let seen = format!("what vouches for it expires within {within} days: serve the chain's renewed certificates");
        self.parts.push(match within == self.tls.down_days {
            true => Part::down(&site.address, seen),
            false => Part::degraded(&site.address, seen),
        });
    }

    /// A self-signed certificate that the operator has named needs nobody else.
    fn is_pinned_by_declared_file(&self, served: &Certificate) -> bool {
        let file = self.seen.file.as_ref().filter(|file| file.is_declared);
        served.is_self_issued
            && file
                .and_then(FileSeen::first)
                .is_some_and(|file| file.der == served.der)
    }

    /// Whether the file's certificate is what is served.
    fn against_file(&mut self, site: &Site, served: &Certificate) {
        let Some(file) = &self.seen.file else {
            return;
        };
        let path = file.path.display();
        match (&file.content, file.first()) {
            (_, Some(held)) if held.der == served.der => self.is_file_served = true,
            (_, Some(held)) => {
                let issued = |certificate: &Certificate| (certificate.not_before, certificate.not_after);
                // A restart takes a renewal whose pair is whole, and fails on one that was refused for good reason.
                let seen = match issued(held) > issued(served) {
                    true => format!(
                        "does not serve the renewed certificate of {path} yet: read its log for a refused renewal, else restart it"
                    ),
                    false => format!(
                        "serves another certificate than {path} holds: correct the file, or restart what serves it"
                    ),
                };
                self.parts.push(Part::degraded(&site.address, seen));
            }
            (Err(why), None) if !file.is_declared => {
                let note = format!("what is served cannot be compared with its file: {path} {why}");
                self.notes.push(note);
            }
            _ => {}
        }
    }

    /// Nothing but its own file vouches for a gateway's certificate; names are not looked at.
    fn by_file(&mut self, served: &Certificate) {
        if !served.is_self_issued {
            let note = "asked on loopback, so that names and chain are not judged: give its name and port in `addresses` for that";
            self.notes.push(note.to_owned());
        }
    }

    /// A file that nobody serves (yet) ends as well.
    fn file(&mut self) {
        let Some(file) = &self.seen.file else {
            return;
        };
        let path = file.path.display().to_string();
        match (&file.content, file.first()) {
            (Err(why), _) if file.is_declared => self.parts.push(Part::unknown(Cause::Misconfigured, path, why)),
            (_, Some(held)) if !self.is_file_served && (file.is_declared || self.served > 0) => {
                self.facts.push((format!("{path} holds"), described(held)));
                self.dates(&path, held);
            }
            _ => {}
        }
    }
}

impl FileSeen {
    fn first(&self) -> Option<&Certificate> {
        self.content.as_ref().ok()?.first()
    }
}

fn doubted(doubt: Doubt, served: &Certificate, chain_len: usize) -> String {
    match doubt {
        Doubt::UnknownIssuer if served.is_self_issued => SELF_SIGNED.to_owned(),
        // webpki finds an authority's own certificate unfit for a server before it looks for its issuer.
        Doubt::Other(_) if served.is_self_issued => SELF_SIGNED.to_owned(),
        Doubt::UnknownIssuer if chain_len == 1 => format!(
            "nobody who is believed signed it ({}), and it is served alone: serve its intermediate certificates too, or name \
             its authority as ca_file",
            served.issuer
        ),
        Doubt::UnknownIssuer => format!(
            "nobody who is believed signed it ({}): name its authority as ca_file",
            served.issuer
        ),
        Doubt::Expired => {
            "a certificate that vouches for it has expired: serve the chain's renewed certificates".to_owned()
        }
        Doubt::Other(why) => why.to_owned(),
    }
}

const SELF_SIGNED: &str =
    "is self-signed, and nobody said that it is believed: name it as certificate_file, or in ca_file";

fn described(certificate: &Certificate) -> String {
    let names = match certificate.names.is_empty() {
        true => String::new(),
        false => format!(", for {}", certificate.names.join(", ")),
    };
    let issuer = match certificate.is_self_issued {
        true => "self-signed".to_owned(),
        false => format!("issued by {}", certificate.issuer),
    };
    format!(
        "{}{names}, {issuer}, {} to {}, {}",
        certificate.subject,
        day(certificate.not_before),
        day(certificate.not_after),
        certificate.fingerprint()
    )
}

const DAY_MILLIS: i64 = 86_400_000;

fn days(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(DAY_MILLIS)
}

/// `2026-12-24`.
fn day(wall: Wall) -> String {
    wall.rfc3339().chars().take(10).collect()
}
