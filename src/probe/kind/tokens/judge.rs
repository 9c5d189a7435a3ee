//! From what was seen, and the time, to a finding. Never worse than degraded: whatever is wrong with the files, whether
//! the gateway serves is for others to say.

use std::time::Duration;

use super::super::part::{Part, fuse};
use super::prints::Shared;
use super::seen::{Content, Credential, File, Found, Guard, Kept, Seen};
use crate::config::units::write_span;
use crate::fingerprint::Fingerprint;
use crate::probe::declaration::{TokenPolicy, Tokens};
use crate::words::{Answer, Finding, Wall};

/// A `.next` that is torn may still be being written, for so long.
const WRITING: Duration = Duration::from_secs(60);
/// A date that is so far ahead is no matter of clocks' skew.
const AHEAD: Duration = Duration::from_secs(300);

/// What is known besides the files.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// What a group may read counts.
    pub strict: bool,
    /// Whose files are believed.
    pub owners: &'a [u32],
    /// A declared listener that faces the internet.
    pub public_listener: Option<String>,
    /// Of the token that the gateway accepted from the link that stands now.
    pub in_use: Option<Fingerprint>,
    pub shared: &'a [Shared],
}

/// The finding of all credentials: the worst speaks.
pub fn judge(tokens: &Tokens, seen: &Seen, known: &Known<'_>, now: Wall) -> Finding {
    let mut judged = Judged {
        known,
        now,
        parts: seen.troubles.clone(),
        notes: Vec::new(),
        oldest: None,
        rotating: Vec::new(),
    };
    for folder in &seen.folders {
        judged.folder(&folder.path.display().to_string(), folder.guard);
    }
    for credential in &seen.credentials {
        judged.credential(credential, tokens.policy_of(&credential.class));
    }
    for shared in known.shared {
        judged.shared(shared);
    }
    judged.notes.extend(seen.notes.iter().cloned());
    judged.finding(seen.credentials.len())
}

struct Judged<'a> {
    known: &'a Known<'a>,
    now: Wall,
    parts: Vec<Part>,
    notes: Vec<String>,
    /// The age of the oldest `.current`.
    oldest: Option<Duration>,
    /// Classes of which a `.next` is there.
    rotating: Vec<String>,
}

impl Judged<'_> {
    fn finding(mut self, count: usize) -> Finding {
        // A degraded part is certain, and the check finds nothing worse: what could not be seen hides behind it.
        if self.parts.iter().any(|part| part.answer == Answer::Degraded) {
            for part in &mut self.parts {
                if part.answer == Answer::Unknown {
                    self.notes.push(format!("{} {}", part.what, part.seen));
                    (part.answer, part.cause) = (Answer::Ok, None);
                }
            }
        }
        let mut all_well = match count {
            0 => "no credential is kept in files".to_owned(),
            1 => "1 credential in order".to_owned(),
            count => format!("{count} credentials in order"),
        };
        if let Some(age) = self.oldest {
            all_well.push_str(&format!(", the oldest written {} ago", write_span(age)));
        }
        if !self.rotating.is_empty() {
            all_well.push_str(&format!(", rotation under way of {}", self.rotating.join(" and ")));
        }
        let mut finding = fuse(self.parts, all_well);
        for note in &self.notes {
            finding.note_push(note);
        }
        finding
    }

    fn folder(&mut self, shown: &str, guard: Guard) {
        let is_sticky = guard.mode & 0o1000 != 0;
        let mode = guard.mode;
        if mode & 0o002 != 0 && !is_sticky {
            let seen = format!("everybody may replace what lies in it ({mode:04o}): chmod o-w");
            self.parts.push(Part::degraded(shown, seen));
        } else if mode & 0o020 != 0 && !is_sticky {
            let gid = guard.gid;
            self.advise(
                shown,
                format!("group {gid} may replace what lies in it ({mode:04o}): chmod g-w"),
            );
        } else if mode & 0o022 != 0 {
            self.notes
                .push(format!("{shown}: others may add files to it ({mode:04o})"));
        }
    }

    fn credential(&mut self, credential: &Credential, policy: &TokenPolicy) {
        self.current(credential, policy);
        self.next(credential, policy);
        self.prev(credential, policy);
        for kept in [&credential.current, &credential.next, &credential.prev] {
            if let Some(file) = kept.file() {
                self.guard(&kept.shown, file.guard);
                if file.modified.millis_since(self.now) > millis(AHEAD) {
                    let note = format!("{} is dated in the future ({})", kept.shown, file.modified);
                    self.notes.push(note);
                }
            }
        }
    }

    fn current(&mut self, credential: &Credential, policy: &TokenPolicy) {
        let shown = &credential.current.shown;
        let file = match &credential.current.found {
            Found::Absent => return self.no_current(credential),
            Found::Other(what) => {
                let seen = format!("{what}: it must be a regular file, and no link is followed");
                return self.parts.push(Part::degraded(shown, seen));
            }
            Found::Unread(cause, why) => {
                return self
                    .parts
                    .push(Part::unknown(*cause, shown, format!("cannot be looked at: {why}")));
            }
            Found::File(file) => file,
        };
        let age = self.age(file);
        self.oldest = self.oldest.max(Some(age));
        self.cadence(shown, age, policy);
        match &file.content {
            Content::Torn(why) => self.parts.push(Part::degraded(shown, *why)),
            Content::Unread(cause, why) => {
                let seen = format!("cannot be read: {why}");
                self.parts.push(Part::unknown(*cause, shown, seen));
            }
            Content::Whole(fingerprint) => self.in_use(credential, *fingerprint),
        }
        let seen = self.seen_of(file);
        self.parts.push(Part::ok(shown, seen));
    }

    fn no_current(&mut self, credential: &Credential) {
        let shown = &credential.current.shown;
        let is_there = |kept: &Kept| kept.found != Found::Absent;
        if is_there(&credential.next) {
            let next = &credential.next.shown;
            let seen = format!("is not there, and {next} is: end the rotation with mv -f {next} {shown}");
            self.parts.push(Part::degraded(shown, seen));
        } else if credential.is_gateways {
            self.parts
                .push(Part::degraded(shown, "is not there (token_file)".to_owned()));
        } else if is_there(&credential.prev) {
            self.notes.push(format!(
                "{} is left of a credential that is no more: revoke it, then remove it",
                credential.prev.shown
            ));
        }
    }

    fn cadence(&mut self, shown: &str, age: Duration, policy: &TokenPolicy) {
        let listener = self.known.public_listener.as_ref();
        let facing = match policy.internet_facing {
            Some(said) => said.then(|| "it faces the internet".to_owned()),
            None => listener.map(|listener| format!("it faces the internet on {listener}")),
        };
        let limit = match facing {
            Some(_) => policy.internet_cadence,
            None => policy.cadence,
        };
        let why = facing.map_or_else(String::new, |facing| format!(", because {facing}"));
        let written = format!("was written {} ago", write_span(age));
        if age > limit {
            let seen = format!("{written}, longer than {}{why}: rotate it", write_span(limit));
            self.parts.push(Part::degraded(shown, seen));
        } else if age > policy.cadence_warn.min(limit) {
            let left = write_span(limit.saturating_sub(age));
            self.notes
                .push(format!("{shown} {written}: it is due within {left}{why}"));
        }
    }

    /// The link logged in with what the file held then. The gateway closes such connections when it takes another token
    /// over, so that one which stands tells what is in use.
    fn in_use(&mut self, credential: &Credential, on_disk: Fingerprint) {
        let Some(in_use) = self.known.in_use else { return };
        if !credential.is_gateways || on_disk == in_use {
            return;
        }
        let is_prev = credential.prev.fingerprint() == Some(in_use);
        let which = match is_prev {
            true => format!("{} ({})", in_use, credential.prev.shown),
            false => in_use.to_string(),
        };
        let seen = format!("is {on_disk}, and the gateway still goes by {which}: restart it, or reload its secrets");
        self.parts.push(Part::degraded(&credential.current.shown, seen));
    }

    fn next(&mut self, credential: &Credential, policy: &TokenPolicy) {
        let shown = &credential.next.shown;
        let file = match &credential.next.found {
            Found::Absent => return,
            Found::Other(what) => {
                return self.notes.push(format!("{shown} {what}: once promoted it is not read"));
            }
            Found::Unread(cause, why) => {
                return self
                    .parts
                    .push(Part::unknown(*cause, shown, format!("cannot be looked at: {why}")));
            }
            Found::File(file) => file,
        };
        let age = self.age(file);
        let mut seen = self.seen_of(file);
        match &file.content {
            Content::Torn(_) if age <= WRITING => {
                return self.parts.push(Part::ok(shown, "is being written"));
            }
            Content::Torn(why) => self
                .parts
                .push(Part::degraded(shown, format!("{why}: it must not be promoted"))),
            Content::Unread(cause, why) => {
                let seen = format!("cannot be read: {why}");
                self.parts.push(Part::unknown(*cause, shown, seen));
            }
            Content::Whole(fingerprint) => {
                let is = |kept: &Kept| kept.fingerprint() == Some(*fingerprint);
                if is(&credential.current) {
                    let seen = format!(
                        "is the same as {}: promoting it rotates nothing",
                        credential.current.shown
                    );
                    self.parts.push(Part::degraded(shown, seen));
                } else if is(&credential.prev) {
                    let prev = &credential.prev.shown;
                    self.notes
                        .push(format!("{shown} is the same as {prev}, the retired one"));
                }
            }
        }
        let beside = write_span(age);
        if age > policy.next_stale {
            let limit = write_span(policy.next_stale);
            let why = format!("was never promoted: it was written {beside} ago, longer than {limit}");
            self.parts.push(Part::degraded(shown, why));
        } else if age > policy.overlap {
            let overlap = write_span(policy.overlap);
            self.notes.push(format!(
                "{shown} was written {beside} ago, and the overlap of {overlap} is over: promote it"
            ));
        }
        self.rotating.push(credential.class.clone());
        seen.push_str(&format!(": rotation under way since {}", file.modified));
        self.parts.push(Part::ok(shown, seen));
    }

    /// When it was retired is not told by its own date, which is that of its making; it was not before the present one
    /// was made. That one's validation and the overlap may then take one overlap each.
    fn prev(&mut self, credential: &Credential, policy: &TokenPolicy) {
        let shown = &credential.prev.shown;
        let file = match &credential.prev.found {
            Found::Absent => return,
            Found::Other(what) => return self.notes.push(format!("{shown} {what}")),
            Found::Unread(_, why) => return self.notes.push(format!("{shown} cannot be looked at: {why}")),
            Found::File(file) => file,
        };
        if let Content::Torn(why) = file.content {
            self.notes.push(format!("{shown} {why}: there is no way back to it"));
        }
        let current = credential.current.file();
        let retired = current.map_or(file.modified, |current| current.modified.max(file.modified));
        let retired_for = since(retired, self.now);
        if retired_for > policy.overlap * 2 && current.is_some() {
            let (ago, overlap) = (write_span(retired_for), write_span(policy.overlap));
            self.notes.push(format!(
                "{shown} has been retired for up to {ago}, and the overlap is {overlap}: revoke it, then remove it"
            ));
        }
        let print = credential.prev.fingerprint();
        if print.is_some() && print == credential.current.fingerprint() {
            let current = &credential.current.shown;
            self.notes
                .push(format!("{current} is the same as {shown}, the retired one"));
        }
        let seen = self.seen_of(file);
        self.parts.push(Part::ok(shown, seen));
    }

    fn guard(&mut self, shown: &str, guard: Guard) {
        let mode = guard.mode;
        if mode & 0o006 != 0 {
            let what = if mode & 0o002 != 0 { "write" } else { "read" };
            let seen = format!("everybody may {what} it ({mode:04o}): chmod o=");
            self.parts.push(Part::degraded(shown, seen));
        } else if mode & 0o020 != 0 {
            let seen = format!("group {} may write it ({mode:04o}): chmod g-w", guard.gid);
            self.parts.push(Part::degraded(shown, seen));
        } else if mode & 0o040 != 0 {
            self.advise(shown, format!("group {} may read it ({mode:04o})", guard.gid));
        }
        if !self.known.owners.contains(&guard.uid) {
            let seen = format!(
                "belongs to user {}, who is neither root nor us nor the tenant's user",
                guard.uid
            );
            self.parts.push(Part::degraded(shown, seen));
        }
    }

    fn shared(&mut self, shared: &Shared) {
        if shared.is_copy {
            let (mine, theirs) = (&shared.mine, &shared.theirs);
            return self.notes.push(format!("{mine} is a copy of {theirs}: rotate both"));
        }
        let seen = format!("is the same secret as {}: give each its own", shared.theirs);
        self.parts.push(Part::degraded(&shared.mine, seen));
    }

    /// The articles' own practice is 0440 for the gateway's group, so that it counts only where posture does.
    fn advise(&mut self, shown: &str, seen: String) {
        match self.known.strict {
            true => self.parts.push(Part::degraded(shown, seen)),
            false => self.notes.push(format!("{shown}: {seen}")),
        }
    }

    fn seen_of(&self, file: &File) -> String {
        let print = match &file.content {
            Content::Whole(print) if self.known.in_use == Some(*print) => format!("{print}, in use"),
            Content::Whole(print) => print.to_string(),
            Content::Torn(_) | Content::Unread(..) => "no fingerprint".to_owned(),
        };
        let (age, mode) = (write_span(self.age(file)), file.guard.mode);
        format!("{print}, written {age} ago, {mode:04o}")
    }

    fn age(&self, file: &File) -> Duration {
        since(file.modified, self.now)
    }
}

/// Zero for what comes from the future.
fn since(then: Wall, now: Wall) -> Duration {
    Duration::from_millis(u64::try_from(now.millis_since(then)).unwrap_or(0))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
