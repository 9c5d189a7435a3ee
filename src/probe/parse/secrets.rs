//! `openclaw secrets audit --check --json`, and what is known beside it. Measured on openclaw 2026.9.6: JSON before exit code.
//!
//! Nothing that the audit says in its own words is shown: what a file of secrets that is not JSON is reported with quotes that
//! file. Names, places and reasons of a closed set are all that leaves here.

use serde_json::Value;

use super::doctor::refusal;
use super::object;
use super::{Said, json};
use crate::config::Posture;
use crate::words::{Cause, Finding};

pub mod references;

pub use references::References;

/// The audit's report, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    unresolved: Vec<Entry>,
    /// References that this user may not follow: evidence of nothing.
    unseen: Vec<Entry>,
    /// Plaintext, leftovers, references that something else overrides: posture.
    posture: Vec<Entry>,
    /// What a later version calls an error and this one does not know.
    errors: Vec<Entry>,
    checked: u64,
    /// Of `exec` providers: the audit runs them only with `--allow-exec`.
    skipped: u64,
}

/// One entry of `findings`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    kind: Kind,
    file: String,
    /// Where in it: `gateway.auth.token`.
    path: String,
    /// `env NO_SUCH_TOKEN`, `file /gw/token of provider f`; empty where it names none.
    name: String,
    /// From a closed set.
    why: &'static str,
    /// Its severity is `info`.
    informs: bool,
}

/// What the audit says by a finding's code.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The whole configuration is invalid.
    Invalid,
    Unresolved,
    /// This user may not follow it.
    Refused,
    Posture,
    /// A code of a later version, and whether it calls that an error.
    Foreign {
        code: String,
        error: bool,
    },
}

/// What the audit does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    pub config: Seen,
    /// The tenant's references, or why they could not be read.
    pub references: Option<Result<References, String>>,
    pub gateway: Gateway,
    /// Whether the tenant has an `env_file`. Without one, references to variables are tried in readyd's environment.
    pub env_file: bool,
    /// Whether the audit ran as the tenant's `user`: what that one may not read, its gateway may not either.
    pub as_its_user: bool,
}

/// Whether there is a configuration file; the audit calls a missing one `clean`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    Present,
    /// It is somewhere else, or not ours to see.
    #[default]
    Unseen,
}

/// What the gateway's `/readyz` said while references were unresolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gateway {
    /// Nobody said where it is.
    #[default]
    Unknown,
    Serves,
    /// It does not serve, and how.
    Silent(String),
    /// It could not be asked.
    Unclear(String),
}

/// `parse: secrets`, first half: the report, or the finding that says why there is none.
pub fn read(said: &Said<'_>) -> Result<Audit, Finding> {
    let object = object::find(said.stdout).map_err(|why| json::unreadable(why, said))?;
    let unreadable = |text: String| Err(Finding::unknown(Cause::Unreadable, text).with_exit(said));
    let (Some(findings), Some(status)) = (
        object.get("findings").and_then(Value::as_array),
        object.get("status").and_then(Value::as_str),
    ) else {
        return match refusal(&object) {
            Some(refused) => Err(refused.with_exit(said)),
            None => {
                unreadable("the JSON object has no `status` with `findings`: not an audit that readyd knows".to_owned())
            }
        };
    };
    let Some(entries) = findings.iter().map(Entry::read).collect::<Option<Vec<_>>>() else {
        return unreadable("a finding has no code: not an audit that readyd knows".to_owned());
    };
    if entries.iter().any(|entry| entry.kind == Kind::Invalid) {
        let text = "the configuration is invalid, so that its references cannot be told: see the check config";
        return Err(Finding::unknown(Cause::SaidUnknown, text));
    }
    let audit = Audit::of(entries, &object);
    let says = match status {
        "unresolved" => audit.is_unresolved(),
        "findings" | "clean" => !audit.is_unresolved(),
        other => return unreadable(format!("the audit's status is {other:?}, which readyd does not know")),
    };
    if !says || (status == "clean" && said.code != 0) {
        let text =
            format!("contradicts itself: the audit's status is {status}, its findings and exit code say otherwise");
        return unreadable(text);
    }
    Ok(audit)
}

/// `parse: secrets`, second half.
///
/// A gateway holds what it resolved when it started, so that an unresolved reference hurts at the next start: degraded while
/// it serves, down when it does not. Of two findings the worse leads; all are evidence.
pub fn judge(audit: &Audit, beside: &Beside, posture: Posture) -> Finding {
    let collisions = match &beside.references {
        Some(Ok(references)) => references.collisions(),
        _ => Vec::new(),
    };
    let (posed, notes) = notes(audit, beside, posture);
    let mut counted: Vec<(&str, String)> = Vec::new();
    counted.extend(audit.errors.iter().map(|entry| ("audit", entry.line())));
    counted.extend(
        collisions
            .into_iter()
            .map(|collision| ("one name, one purpose", collision)),
    );
    counted.extend(posed.into_iter().map(|posed| ("posture", posed)));
    let unseen = audit.unseen.iter().filter(|_| beside.as_its_user);
    let failed: Vec<&Entry> = audit.unresolved.iter().chain(unseen).collect();
    let mut finding = if let Some(first) = failed.first() {
        unresolved(first, &failed, beside)
    } else if let Some(first) = audit.unseen.first() {
        let text = format!("{}: is tenants.*.user the gateway's user?", first.line());
        Finding::unknown(Cause::Misconfigured, text)
    } else if audit.saw_nothing() && beside.config == Seen::Unseen {
        let text =
            "the audit found nothing, as it does where there is no configuration, and none could be seen from here";
        Finding::unknown(Cause::Misconfigured, text)
    } else if let Some((_, first)) = counted.first() {
        Finding::degraded(with_more(first, counted.len()))
    } else {
        Finding::ok(all_well(audit, notes.len()))
    };
    for entry in audit.unresolved.iter().chain(&audit.unseen) {
        finding.evidence_push(&entry.path, format!("{} (in {})", entry.reference(), entry.file));
    }
    for (what, line) in &counted {
        finding.evidence_push(what, line);
    }
    match &beside.gateway {
        Gateway::Silent(why) | Gateway::Unclear(why) => finding.evidence_push("gateway", why),
        Gateway::Serves | Gateway::Unknown => {}
    }
    for note in notes {
        finding.note_push(note);
    }
    finding
}

fn unresolved(first: &Entry, failed: &[&Entry], beside: &Beside) -> Finding {
    let what = with_more(&first.line(), failed.len());
    // OpenClaw starts without a model's key, and leaves out what needs it; without its own way in it does not.
    let stops = failed.iter().any(|entry| entry.path.starts_with("gateway."));
    let then = match stops {
        true => "the next restart fails",
        false => "what needs it fails from the next restart on",
    };
    let mut finding = match &beside.gateway {
        Gateway::Silent(_) => Finding::down(format!("{what}; and the gateway does not serve")),
        // What was down because it did not serve is so no longer, however often this is asked.
        Gateway::Serves => Finding::degraded(format!("{what}; the gateway serves, {then}")).but_alive(),
        Gateway::Unknown | Gateway::Unclear(_) => Finding::degraded(format!("{what}; {then}")),
    };
    if failed.iter().any(|entry| entry.name.starts_with("env ")) && !beside.env_file {
        // The gateway's service may well set it: a reader should know before they search.
        finding.note_push("variables are looked for in readyd's own environment: say env_file for the tenant if its gateway has others");
    }
    finding
}

/// What strict posture counts, and what is shown.
fn notes(audit: &Audit, beside: &Beside, posture: Posture) -> (Vec<String>, Vec<String>) {
    let (mut posed, mut shown) = (Vec::new(), Vec::new());
    for entry in &audit.posture {
        let list = if entry.informs { &mut shown } else { &mut posed };
        list.push(entry.line());
    }
    if audit.skipped > 0 {
        let skipped = match audit.skipped {
            1 => "1 reference of an exec provider was".to_owned(),
            several => format!("{several} references of exec providers were"),
        };
        let which = match &beside.references {
            Some(Ok(references)) => references.of_commands(),
            _ => String::new(),
        };
        posed.push(format!("{skipped} not tried{which}"));
    }
    match &beside.references {
        Some(Ok(references)) => {
            posed.extend(references.unclassified_too_many());
            shown.extend(references.notes());
        }
        Some(Err(why)) => shown.push(format!("references are not looked through for collisions: {why}")),
        None => {}
    }
    match posture {
        Posture::Strict => (posed, shown),
        Posture::Relaxed => {
            posed.extend(shown);
            (Vec::new(), posed)
        }
    }
}

fn with_more(first: &str, count: usize) -> String {
    match count {
        0 | 1 => first.to_owned(),
        several => format!("{first} (+{} more)", several - 1),
    }
}

fn all_well(audit: &Audit, notes: usize) -> String {
    let checked = match audit.checked {
        0 => "no references".to_owned(),
        1 => "1 reference resolves".to_owned(),
        several => format!("{several} references resolve"),
    };
    match notes {
        0 => checked,
        1 => format!("{checked}, 1 note"),
        several => format!("{checked}, {several} notes"),
    }
}

/// The path of a whole file.
const ROOT: &str = "<root>";
const INVALID: &str = "the configuration is invalid";
const REFUSED: &str = "is not for this user to read";

/// Why a reference does not resolve, from the texts of openclaw 2026.9.6; the first sign that is found decides.
pub(super) fn reason(message: &str) -> &'static str {
    const REASONS: [(&str, &str); 21] = [
        ("Config is invalid", INVALID),
        ("EACCES", REFUSED),
        ("EPERM", REFUSED),
        ("Owner mismatch (uid ", REFUSED),
        ("must be owned by the ", REFUSED),
        ("is not allowlisted", "is not on its provider's allowlist"),
        ("is missing or empty", "is not set"),
        ("is not configured", "names a provider that is not configured"),
        ("but ref requests", "names a provider of another source"),
        ("ENOENT", "names a file that does not exist"),
        ("timed out", "was not answered in time"),
        ("produced no output", "was not answered in time"),
        ("exited with code", "has a provider that fails"),
        ("redaction placeholder", "holds a placeholder instead of a secret"),
        ("plugin integration", "has a plugin that is not available"),
        ("Invalid JSON in models.json", "cannot be read as JSON"),
        ("JSON pointer", "names an entry that its file does not have"),
        ("expects ref id", "names an entry that its file does not have"),
        ("JSON", "is in a file that cannot be read as JSON"),
        ("permissions", "is in a file that others may read or write"),
        (
            "regenerate models.json",
            "is left over in models.json, which is to be generated anew",
        ),
    ];
    let found = REASONS.iter().find(|(sign, _)| message.contains(sign));
    found.map_or("does not resolve", |(_, reason)| reason)
}

impl Audit {
    fn of(entries: Vec<Entry>, object: &object::Object) -> Audit {
        let count = |key: &str| {
            object
                .get("resolution")
                .and_then(|resolution| resolution.get(key)?.as_u64())
        };
        let mut audit = Audit {
            unresolved: Vec::new(),
            unseen: Vec::new(),
            posture: Vec::new(),
            errors: Vec::new(),
            checked: count("refsChecked").unwrap_or(0),
            skipped: count("skippedExecRefs").unwrap_or(0),
        };
        for entry in entries {
            let list = match &entry.kind {
                Kind::Invalid | Kind::Unresolved => &mut audit.unresolved,
                Kind::Refused => &mut audit.unseen,
                Kind::Foreign { error: true, .. } => &mut audit.errors,
                Kind::Posture | Kind::Foreign { .. } => &mut audit.posture,
            };
            list.push(entry);
        }
        audit
    }

    /// Whether it matters what the gateway says.
    pub fn is_unresolved(&self) -> bool {
        !self.unresolved.is_empty() || !self.unseen.is_empty()
    }

    fn saw_nothing(&self) -> bool {
        self.checked == 0 && self.skipped == 0 && self.posture.is_empty() && self.errors.is_empty()
    }
}

impl Entry {
    /// `None` when it is not an object with a `code`.
    fn read(value: &Value) -> Option<Entry> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let code = value.get("code")?.as_str()?;
        let message = text("message");
        let (kind, why) = match code {
            "REF_UNRESOLVED" | "PLACEHOLDER_VALUE" => match reason(message) {
                INVALID => (Kind::Invalid, INVALID),
                REFUSED => (Kind::Refused, REFUSED),
                why => (Kind::Unresolved, why),
            },
            "PLAINTEXT_FOUND" => (Kind::Posture, "holds a secret in the clear"),
            "LEGACY_RESIDUE" => (Kind::Posture, "is left over from an older store of secrets"),
            "STORE_PLAINTEXT_RESIDUE" => (Kind::Posture, "repeats in the clear what the secret store holds"),
            "REF_SHADOWED" => (Kind::Posture, "refers to a secret that an auth profile overrides"),
            other => {
                let (code, error) = (other.to_owned(), text("severity") == "error");
                (Kind::Foreign { code, error }, "has a finding that readyd does not know")
            }
        };
        let path = Some(text("jsonPath")).filter(|path| !path.is_empty());
        Some(Entry {
            kind,
            file: text("file").to_owned(),
            path: path.unwrap_or(ROOT).to_owned(),
            name: referred(message).unwrap_or_default(),
            why,
            informs: text("severity") == "info",
        })
    }

    /// One line: where, and what is wrong there.
    fn line(&self) -> String {
        let place = if self.path == ROOT { &self.file } else { &self.path };
        match (&self.kind, self.name.is_empty()) {
            (Kind::Foreign { code, .. }, _) => format!("{place} {}: {code}", self.why),
            (Kind::Unresolved | Kind::Refused, false) => format!("{place} refers to {}", self.reference()),
            _ => format!("{place} {}", self.why),
        }
    }

    /// The reference and why it does not resolve.
    fn reference(&self) -> String {
        match self.name.as_str() {
            "" => self.why.to_owned(),
            name => format!("{name}, which {}", self.why),
        }
    }
}

/// The reference of `Failed to resolve env:default:NAME (…)`.
fn referred(message: &str) -> Option<String> {
    let (label, _) = message.strip_prefix("Failed to resolve ")?.split_once(" (")?;
    let mut parts = label.splitn(3, ':');
    let (source, provider, id) = (parts.next()?, parts.next()?, parts.next()?);
    Some(references::name(source, provider, id))
}
