//! What the environment says, as data: where things are by default.
//!
//! Invariant: pure. [`super::load`] fills [`Environment`] in from the real one.

use std::path::{Path, PathBuf};

/// The facts that defaults are made of. Variables that are unset or empty are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `$READYD_CONFIG`.
    pub readyd_config: Option<PathBuf>,
    /// `$STATE_DIRECTORY` and `$RUNTIME_DIRECTORY`, of systemd: a list with colons, the first counts.
    pub state_directory: Option<String>,
    pub runtime_directory: Option<String>,
    pub xdg_state_home: Option<PathBuf>,
    pub xdg_runtime_dir: Option<PathBuf>,
    pub xdg_config_home: Option<PathBuf>,
    pub home: Option<PathBuf>,
    /// `$LANG`.
    pub lang: Option<String>,
    /// `$PATH`.
    pub path: Option<String>,
    pub hostname: String,
    /// At least 1.
    pub cores: usize,
    /// Whether we may run probes as other users.
    pub is_root: bool,
}

/// A place where the config file may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub path: PathBuf,
    /// It was asked for: its absence is an error, not a reason to look further.
    pub asked_for: bool,
}

impl Default for Environment {
    /// A bare one: no variables, one core, not root, `localhost`.
    fn default() -> Environment {
        Environment {
            readyd_config: None,
            state_directory: None,
            runtime_directory: None,
            xdg_state_home: None,
            xdg_runtime_dir: None,
            xdg_config_home: None,
            home: None,
            lang: None,
            path: None,
            hostname: "localhost".into(),
            cores: 1,
            is_root: false,
        }
    }
}

impl Environment {
    /// `PATH` entries beyond this many are not looked at.
    const PATH_ENTRIES_MAX: usize = 64;

    /// Where the config file is looked for, in this order; the first that exists is taken.
    pub fn config_candidates(&self, asked: Option<&Path>) -> Vec<Candidate> {
        let certain = asked.map(Path::to_path_buf).or_else(|| self.readyd_config.clone());
        if let Some(path) = certain {
            return vec![Candidate { path, asked_for: true }];
        }
        let user = absolute(self.xdg_config_home.as_deref())
            .or_else(|| Some(absolute(self.home.as_deref())?.join(".config")))
            .map(|dir| dir.join("readyd/readyd.yaml"));
        let places = [Some("readyd.yaml".into()), user, Some("/etc/readyd/readyd.yaml".into())];
        places
            .into_iter()
            .flatten()
            .map(|path| Candidate { path, asked_for: false })
            .collect()
    }

    /// `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/readyd`, else `~/.local/state/readyd`; without a
    /// home `/var/lib/readyd`.
    pub fn state_dir(&self) -> PathBuf {
        first_of(self.state_directory.as_deref())
            .or_else(|| Some(absolute(self.xdg_state_home.as_deref())?.join("readyd")))
            .or_else(|| Some(absolute(self.home.as_deref())?.join(".local/state/readyd")))
            .unwrap_or_else(|| "/var/lib/readyd".into())
    }

    /// `$RUNTIME_DIRECTORY`, else `$XDG_RUNTIME_DIR/readyd`, else `<state_dir>/run`.
    pub fn runtime_dir(&self, state_dir: &Path) -> PathBuf {
        first_of(self.runtime_directory.as_deref())
            .or_else(|| Some(absolute(self.xdg_runtime_dir.as_deref())?.join("readyd")))
            .unwrap_or_else(|| state_dir.join("run"))
    }

    /// The absolute entries of `$PATH` (a relative one would run what lies in the working
    /// directory), else `/usr/local/bin /usr/bin /bin`.
    pub fn exec_path(&self) -> Vec<PathBuf> {
        let entries = self.path.as_deref().unwrap_or_default().split(':');
        let absolute: Vec<PathBuf> = entries
            .filter(|entry| entry.starts_with('/'))
            .take(Self::PATH_ENTRIES_MAX)
            .map(PathBuf::from)
            .collect();
        match absolute.is_empty() {
            true => ["/usr/local/bin", "/usr/bin", "/bin"].map(PathBuf::from).to_vec(),
            false => absolute,
        }
    }
}

fn first_of(list: Option<&str>) -> Option<PathBuf> {
    let first = list?.split(':').next()?;
    absolute(Some(Path::new(first)))
}

/// The XDG specification: a relative path in these variables is to be ignored.
fn absolute(path: Option<&Path>) -> Option<PathBuf> {
    path.filter(|path| path.is_absolute()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> Environment {
        Environment {
            home: Some("/home/ann".into()),
            ..Environment::default()
        }
    }

    fn paths(environment: &Environment, asked: Option<&str>) -> Vec<String> {
        let candidates = environment.config_candidates(asked.map(Path::new));
        candidates
            .into_iter()
            .map(|candidate| {
                format!(
                    "{}{}",
                    candidate.path.display(),
                    if candidate.asked_for { "!" } else { "" }
                )
            })
            .collect()
    }

    #[test]
    fn the_config_is_looked_for_where_it_was_asked_for_and_nowhere_else() {
        let mut environment = bare();
        environment.readyd_config = Some("/env.yaml".into());
        assert_eq!(paths(&environment, Some("/flag.yaml")), ["/flag.yaml!"]);
        assert_eq!(paths(&environment, None), ["/env.yaml!"]);
    }

    #[test]
    fn else_it_is_looked_for_here_then_at_home_then_in_etc() {
        let mut environment = bare();
        let home = "/home/ann/.config/readyd/readyd.yaml";
        assert_eq!(
            paths(&environment, None),
            ["readyd.yaml", home, "/etc/readyd/readyd.yaml"]
        );
        environment.xdg_config_home = Some("/xdg".into());
        assert_eq!(paths(&environment, None)[1], "/xdg/readyd/readyd.yaml");
        environment.xdg_config_home = Some("relative".into());
        assert_eq!(paths(&environment, None)[1], home);
        let nobody = Environment::default();
        assert_eq!(paths(&nobody, None), ["readyd.yaml", "/etc/readyd/readyd.yaml"]);
    }

    #[test]
    fn systemd_wins_over_xdg_and_xdg_over_home() {
        let mut environment = bare();
        let dirs = |environment: &Environment| {
            let state = environment.state_dir();
            let runtime = environment.runtime_dir(&state);
            (state.display().to_string(), runtime.display().to_string())
        };
        let state = "/home/ann/.local/state/readyd".to_owned();
        assert_eq!(dirs(&environment), (state.clone(), format!("{state}/run")));
        environment.xdg_state_home = Some("/xs".into());
        environment.xdg_runtime_dir = Some("/xr".into());
        assert_eq!(dirs(&environment), ("/xs/readyd".into(), "/xr/readyd".into()));
        environment.state_directory = Some("/var/lib/readyd:/var/lib/other".into());
        environment.runtime_directory = Some("/run/readyd".into());
        assert_eq!(dirs(&environment), ("/var/lib/readyd".into(), "/run/readyd".into()));
    }

    #[test]
    fn relative_entries_of_path_are_left_out() {
        let mut environment = bare();
        environment.path = Some(".:bin:/opt/bin::/usr/bin".into());
        assert_eq!(environment.exec_path(), [Path::new("/opt/bin"), Path::new("/usr/bin")]);
        environment.path = None;
        assert_eq!(environment.exec_path().len(), 3);
    }
}
