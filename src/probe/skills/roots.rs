//! Where OpenClaw loads a tenant's skills from. Pure: what is on disk is given, not looked up.
//!
//! Source: `docs/tools/skills.md` and `docs/concepts/agent-workspace.md` of openclaw 2026.9.6:
//! `<workspace>/skills`, `<workspace>/.agents/skills`, `~/.agents/skills` (default state only), `<state>/skills`,
//! `<state>/agents/<id>/agent/workshop-skills`, `skills.load.extraDirs`. Not here: what ships with OpenClaw or a
//! plugin (it changes with their versions, and who can write there can change the program), and the personal
//! library in `<state>/skill-library` (immutable revisions that the gateway's own database selects).
//!
//! Rather a folder too many: the workspaces of all agents are looked at in every place where one may be.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder below which skills may be, however deep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Opened as it is named: the operator's own place, links included.
    pub base: PathBuf,
    /// Folders from there, in which links are not followed.
    pub below: &'static [&'static str],
    /// The Workshop's.
    pub learned: bool,
}

/// What is known of a tenant's installation.
#[derive(Clone, Copy, Debug)]
pub struct Installation<'a> {
    pub state_dir: &'a Path,
    /// Of the user that the gateway runs as.
    pub home: Option<&'a Path>,
    /// `openclaw.json`, when it could be read.
    pub config: Option<&'a Value>,
    /// `OPENCLAW_WORKSPACE_DIR` of the tenant's env file.
    pub workspace: Option<&'a str>,
    /// Folders in `<state>/agents`.
    pub agents: &'a [String],
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// Each once.
    pub roots: Vec<Root>,
    /// Places that the configuration names and that cannot be known from here.
    pub notes: Vec<String>,
    taken: HashSet<PathBuf>,
}

/// Agents and extra folders beyond this are not looked at.
pub const AGENTS_MAX: usize = 256;
const EXTRA_DIRS_MAX: usize = 64;

impl Root {
    pub fn path(&self) -> PathBuf {
        self.below.iter().fold(self.base.clone(), |path, name| path.join(name))
    }
}

pub fn roots(of: &Installation<'_>) -> Roots {
    let mut roots = Roots::default();
    let defaults = Value::Null;
    let config = of.config.unwrap_or(&defaults);
    let configured = configured_agents(config);
    let ids: Vec<&str> = configured
        .iter()
        .map(|(id, _)| *id)
        .chain(of.agents.iter().map(String::as_str))
        .filter(|id| is_folder(id))
        .take(AGENTS_MAX)
        .collect();
    roots.add(of.state_dir.to_owned(), &["skills"], false);
    roots.add_workspace(of.state_dir.join("workspace"));
    let shared = config["agents"]["defaults"]["workspace"].as_str();
    for (text, named) in [
        (of.workspace, "OPENCLAW_WORKSPACE_DIR"),
        (shared, "agents.defaults.workspace"),
    ] {
        if let Some(workspace) = text.and_then(|text| roots.resolved(text, named, of.home)) {
            ids.iter().for_each(|id| roots.add_workspace(workspace.join(id)));
            roots.add_workspace(workspace);
        }
    }
    for (id, entry) in configured.iter().take(AGENTS_MAX) {
        let named = format!("the workspace of agent {id}");
        let workspace = entry["workspace"].as_str();
        if let Some(workspace) = workspace.and_then(|text| roots.resolved(text, &named, of.home)) {
            roots.add_workspace(workspace);
        }
    }
    for id in &ids {
        roots.add_workspace(of.state_dir.join(format!("workspace-{id}")));
        let agent = of.state_dir.join("agents").join(id);
        roots.add(agent, &["agent", "workshop-skills"], true);
    }
    let extra = config["skills"]["load"]["extraDirs"].as_array();
    for text in extra
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(EXTRA_DIRS_MAX)
    {
        if let Some(folder) = roots.resolved(text, "skills.load.extraDirs", of.home) {
            roots.add(folder, &[], false);
        }
    }
    // The user's own are loaded by the default state alone.
    if let Some(home) = of.home.filter(|home| home.join(".openclaw") == of.state_dir) {
        roots.add(home.to_owned(), &[".agents", "skills"], false);
    }
    roots
}

/// `agents.entries` by id, or `agents.list` of earlier versions.
fn configured_agents(config: &Value) -> Vec<(&str, &Value)> {
    let agents = &config["agents"];
    match (agents["entries"].as_object(), agents["list"].as_array()) {
        (Some(entries), _) => entries.iter().map(|(id, entry)| (id.as_str(), entry)).collect(),
        (None, Some(list)) => list
            .iter()
            .filter_map(|entry| Some((entry["id"].as_str()?, entry)))
            .collect(),
        (None, None) => Vec::new(),
    }
}

/// An id becomes a folder's name; one that would lead elsewhere is none.
fn is_folder(id: &str) -> bool {
    !id.is_empty() && !id.starts_with('.') && !id.contains(['/', '\0'])
}

impl Roots {
    fn add(&mut self, base: PathBuf, below: &'static [&'static str], learned: bool) {
        let root = Root { base, below, learned };
        if self.taken.insert(root.path()) {
            self.roots.push(root);
        }
    }

    fn add_workspace(&mut self, workspace: PathBuf) {
        self.add(workspace.clone(), &["skills"], false);
        self.add(workspace, &[".agents", "skills"], false);
    }

    /// A configured path, with `~` for the home; a note where it cannot be told from here.
    fn resolved(&mut self, text: &str, named: &str, home: Option<&Path>) -> Option<PathBuf> {
        let text = text.trim();
        let path = match (text.strip_prefix('~'), home) {
            (Some(""), Some(home)) => Some(home.to_owned()),
            (Some(rest), Some(home)) => rest.strip_prefix('/').map(|rest| home.join(rest)),
            _ => Some(PathBuf::from(text)),
        };
        // `$` begins a variable of the gateway's own environment.
        let path = path.filter(|path| path.is_absolute() && !text.contains(['$', '\0']));
        if path.is_none() && !text.is_empty() {
            self.notes.push(format!(
                "skills below {named} are not watched: {text:?} is not an absolute path"
            ));
        }
        path
    }
}
