//! Shell: reads the environment, the config file, `probes.d` and the tenants directory.
//!
//! Everything is decided elsewhere: [`super::raw`], [`super::declarations`], [`super::tenants_dir`]
//! and [`super::compose`].
#![expect(
    clippy::disallowed_methods,
    reason = "shell: reads the environment and lists probes.d"
)]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Config;
use super::compose::{compose, judge};
use super::declarations::{Declarations, Remarks};
use super::discover;
use super::environment::Environment;
use super::explain::Sources;
use super::files::{self, Stamp};
use super::problem::{Place, Problem, Problems};
use super::raw::{self, Discover, Draft};
use super::scan::{self, Stamps};
use super::tenants_dir::TenantsDir;
use super::tokens::Tokens;
use super::yaml::{self, Node};
use crate::probe::{SHIPPED, runner};
use crate::words::Instant;

/// What the command line and the environment say about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--config`.
    pub config: Option<PathBuf>,
    pub environment: Environment,
}

/// A configuration in force, and where its values come from.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Arc<Config>,
    pub sources: Arc<Sources>,
}

/// Holds what was read, and notices what has changed.
#[derive(Debug)]
pub struct Watcher {
    options: Options,
    main: Main,
    dir: Option<TenantsDir>,
    tokens: Tokens,
    stamps: Stamps,
    /// Differing stamps that have not settled yet, and for how many polls.
    unsettled: Option<(Stamps, u32)>,
    polls_since_scan: u32,
}

impl Options {
    /// The real environment with `--config`.
    pub fn from_environment(config: Option<PathBuf>) -> Options {
        Options {
            config,
            environment: environment(),
        }
    }
}

/// Reads everything once: for `check`, `config …` and other commands without a daemon.
pub fn load(options: &Options, now: Instant) -> Result<Loaded, Problems> {
    Watcher::start(options.clone(), now).map(|(_, loaded)| loaded)
}

impl Watcher {
    /// How often the daemon polls. A change is applied when two polls see the same stamps (a
    /// `git pull` or an editor is then done), at the latest at the third: within 2 s.
    pub const POLL_EVERY: Duration = Duration::from_millis(500);

    const UNSETTLED_POLLS_MAX: u32 = 2;

    /// While a tenant is in trouble its files are read again even when their stamps are the same:
    /// a vanished one's minute runs, and a cause such as too many open files leaves no stamp.
    const TROUBLED_POLLS: u32 = 4;

    /// And everybody's once a minute: a database that comes to lie deep below leaves no stamp either.
    const CALM_POLLS: u32 = 120;

    /// The first configuration; tenants that are broken are in trouble, all else that is wrong is an error.
    pub fn start(options: Options, now: Instant) -> Result<(Watcher, Loaded), Problems> {
        let main = Main::read(&options)?;
        let mut options = options;
        // Found once, it is asked for: a file that is away for a moment must not become the embedded default.
        options.config = main.draft.config.path.clone().or(options.config);
        let mut watcher = Watcher {
            dir: main.tenants_dir().map(|_| TenantsDir::default()),
            options,
            main,
            tokens: Tokens::default(),
            stamps: Stamps::new(),
            unsettled: None,
            polls_since_scan: 0,
        };
        watcher.scan(now, true);
        let loaded = watcher.loaded()?;
        Ok((watcher, loaded))
    }

    /// Looks whether fragments have changed, or who gives a token; `None` when all is as before. The config file
    /// and `probes.d` are read again by [`Watcher::reload`] alone.
    pub fn poll(&mut self, now: Instant) -> Option<Loaded> {
        let fragments = self.fragments_changed(now);
        let tokens = self.tokens.have_changed();
        // What is not valid here was valid at the last reload, and fragments cannot spoil it.
        (fragments || tokens).then(|| self.loaded().ok()).flatten()
    }

    fn fragments_changed(&mut self, now: Instant) -> bool {
        let Some(path) = self.main.tenants_dir() else {
            return false;
        };
        let stamps = scan::stamps(path);
        let changed = stamps != self.stamps;
        if changed && !self.is_settled(stamps) {
            return false;
        }
        self.unsettled = None;
        self.polls_since_scan += 1;
        let troubled = self.dir.as_ref().is_some_and(TenantsDir::is_troubled);
        let polls = if troubled {
            Self::TROUBLED_POLLS
        } else {
            Self::CALM_POLLS
        };
        if !changed && self.polls_since_scan < polls {
            return false;
        }
        let warnings = self.dir_warnings();
        let touched = self.scan(now, false);
        touched || warnings != self.dir_warnings()
    }

    /// Whether a change was seen that another poll is to confirm.
    pub fn is_settling(&self) -> bool {
        self.unsettled.is_some()
    }

    /// The directories in which fragments are looked for, as of the last reading.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        let directories = self.stamps.iter().filter(|(_, stamp)| stamp.is_some_and(Stamp::is_dir));
        directories.map(|(path, _)| path.as_path())
    }

    /// SIGHUP or `readyd reload`: reads everything again. On an error the old configuration stays in force.
    pub fn reload(&mut self, now: Instant) -> Result<Loaded, Problems> {
        let main = Main::read(&self.options)?;
        let same_dir = main.tenants_dir() == self.main.tenants_dir();
        let before = (self.dir.clone(), self.stamps.clone());
        let kept = self.dir.take().filter(|_| same_dir);
        self.dir = main.tenants_dir().map(|_| kept.unwrap_or_default());
        let old = std::mem::replace(&mut self.main, main);
        self.unsettled = None;
        self.scan(now, true);
        self.loaded().inspect_err(|_| {
            self.main = old;
            (self.dir, self.stamps) = before;
        })
    }

    /// Whether these stamps were seen by the last poll as well, or have not settled for too long.
    fn is_settled(&mut self, stamps: Stamps) -> bool {
        let polls = match &self.unsettled {
            Some((before, _)) if *before == stamps => return true,
            Some((_, polls)) => polls + 1,
            None => 1,
        };
        self.unsettled = Some((stamps, polls));
        polls > Self::UNSETTLED_POLLS_MAX
    }

    /// Whether anybody was touched. Stamps are taken before the files are read: what changes in
    /// between is seen by the next poll.
    fn scan(&mut self, now: Instant, explicit: bool) -> bool {
        let (Some(dir), Some(path)) = (&mut self.dir, self.main.tenants_dir()) else {
            return false;
        };
        self.polls_since_scan = 0;
        self.stamps = scan::stamps(path);
        let declarations = &self.main.declarations;
        let change = dir.apply(now, scan::scan(path), explicit, &|tree| judge(declarations, tree));
        !change.is_empty()
    }

    fn dir_warnings(&self) -> Vec<String> {
        self.dir.as_ref().map(|dir| dir.warnings().to_vec()).unwrap_or_default()
    }

    fn loaded(&mut self) -> Result<Loaded, Problems> {
        let main = &self.main;
        let mut config = compose(&main.draft, &main.declarations, &main.warnings, self.dir.as_ref())?;
        self.tokens.find(&mut config, self.options.environment.home.as_deref());
        let fragments = self.dir.iter().flat_map(TenantsDir::tenants);
        Ok(Loaded {
            sources: Arc::new(Sources {
                file: main.draft.tree.clone(),
                fragments: fragments
                    .map(|(name, held)| (name.clone(), held.tree.clone()))
                    .collect(),
                declarations: main.declarations.clone(),
            }),
            config: Arc::new(config),
        })
    }
}

/// All but the fragments.
#[derive(Debug)]
struct Main {
    draft: Draft,
    declarations: Declarations,
    warnings: Vec<String>,
}

impl Main {
    fn read(options: &Options) -> Result<Main, Problems> {
        let file = config_file(options)?;
        let tree = match &file {
            Some((path, bytes)) => Some(yaml::parse(&path.display().to_string(), bytes)?),
            None => None,
        };
        let path = file.as_ref().map(|(path, _)| absolute(path));
        let (mut draft, mut problems) = raw::decode(tree.as_ref(), path.as_deref(), &options.environment);
        let probes_d = path.as_deref().and_then(Path::parent).map(|dir| dir.join("probes.d"));
        let declared = probes_d
            .map(|dir| declared_files(&dir, &mut problems))
            .unwrap_or_default();
        let files: Vec<_> = declared
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        let mut remarks = Remarks {
            problems,
            warnings: Vec::new(),
        };
        let overrides: Option<&Node> = draft.overrides.as_ref();
        let declarations = Declarations::gather(SHIPPED, &files, overrides, draft.patience, &mut remarks);
        // Every problem of every file is told at once, and `compose` cannot fail on them later.
        declarations.probes(&mut remarks);
        remarks.problems.or(())?;
        if let Some(port) = draft.discover.as_ref().and_then(discovered) {
            draft.found(port);
        }
        Ok(Main {
            draft,
            declarations,
            warnings: remarks.warnings,
        })
    }

    fn tenants_dir(&self) -> Option<&Path> {
        self.draft.config.tenants_dir.as_deref()
    }
}

/// The first candidate that exists; `None`: the embedded default.
fn config_file(options: &Options) -> Result<Option<(PathBuf, Vec<u8>)>, Problem> {
    for candidate in options.environment.config_candidates(options.config.as_deref()) {
        let absent = std::fs::symlink_metadata(&candidate.path)
            .is_err_and(|error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory));
        if absent && !candidate.asked_for {
            continue;
        }
        // A file that exists and cannot be read is an error: to look further would serve something else in silence.
        let name = candidate.path.display().to_string();
        let bytes = files::read(&candidate.path, yaml::FILE_BYTES_MAX)
            .map_err(|why| Problem::new(Place::file(&name), "", why))?;
        return Ok(Some((candidate.path, bytes)));
    }
    Ok(None)
}

/// The `*.yaml` of `probes.d` in byte order of name; none when it is not there.
fn declared_files(dir: &Path, problems: &mut Problems) -> Vec<(String, Vec<u8>)> {
    const FILES_MAX: usize = 256;
    let place = |path: &Path| Place::file(&path.display().to_string());
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            problems.add(&place(dir), "", format!("cannot be read: {error}"));
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        let name = path.file_name().map(|name| name.as_encoded_bytes()).unwrap_or_default();
        !name.starts_with(b".") && (name.ends_with(b".yaml") || name.ends_with(b".yml"))
    });
    paths.sort();
    if paths.len() > FILES_MAX {
        problems.add(&place(dir), "", format!("holds more than {FILES_MAX} declarations"));
        paths.truncate(FILES_MAX);
    }
    let mut files = Vec::new();
    for path in paths {
        match files::read(&path, yaml::FILE_BYTES_MAX) {
            Ok(bytes) => files.push((path.display().to_string(), bytes)),
            Err(why) => problems.add(&place(&path), "", why),
        }
    }
    files
}

/// The gateway's port when there are both an `openclaw` to run and a default profile to ask about.
fn discovered(discover: &Discover) -> Option<u16> {
    const OPENCLAW_JSON_BYTES_MAX: usize = yaml::FILE_BYTES_MAX;
    let found = runner::resolve(&discover.command, &discover.path);
    if found.is_err() || !discover.openclaw_json.is_file() {
        return None;
    }
    let json = files::read(&discover.openclaw_json, OPENCLAW_JSON_BYTES_MAX).unwrap_or_default();
    Some(discover::gateway_port(&json))
}

/// Reads the process's environment.
fn environment() -> Environment {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let path = |name: &str| variable(name).map(PathBuf::from);
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let uname = rustix::system::uname();
    Environment {
        readyd_config: path("READYD_CONFIG"),
        state_directory: text("STATE_DIRECTORY"),
        runtime_directory: text("RUNTIME_DIRECTORY"),
        xdg_state_home: path("XDG_STATE_HOME"),
        xdg_runtime_dir: path("XDG_RUNTIME_DIR"),
        xdg_config_home: path("XDG_CONFIG_HOME"),
        home: path("HOME"),
        lang: text("LANG"),
        path: text("PATH"),
        hostname: uname.nodename().to_string_lossy().into_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        is_root: rustix::process::geteuid().is_root(),
    }
}

/// So that `probes.d`, and paths in the file, are found from anywhere.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests;
