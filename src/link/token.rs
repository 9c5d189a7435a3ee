//! Shell: the gateway's token, from where the tenant keeps it. It is full power in other hands: it lives from its
//! reading to the sending of one frame, and no `Debug`, log or error shows it.

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde_json::Value;

use crate::config::{Tenant, env_file, files};
use crate::fingerprint::{Fingerprint, Fingerprints};
use crate::probe::target::config_file_of;

/// A token has no more bytes than this; a larger file is something else.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// `openclaw.json` and a file of secrets.
pub const CONFIG_BYTES_MAX: usize = 1 << 20;
/// What OpenClaw reads its gateway token from.
pub const TOKEN_VARIABLE: &str = "OPENCLAW_GATEWAY_TOKEN";

/// Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Where a token may be. They are tried in order; the first that is configured decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenPlaces {
    /// `token.current`: the token and nothing else.
    pub token_file: Option<PathBuf>,
    /// `OPENCLAW_GATEWAY_TOKEN=…` in the tenant's environment file.
    pub env_file: Option<PathBuf>,
    /// `gateway.auth.token` in `openclaw.json`: a SecretRef to a file or to `env_file`. One that is written there itself
    /// was not given to us.
    pub config_file: Option<PathBuf>,
    /// The tenant's user: whose files are believed besides root's and ours.
    pub owners: Vec<u32>,
}

/// Tells the files from their later selves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenStamp(Vec<Option<files::Stamp>>);

/// Why there is no token: the place and the next step, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// Every place was read, and none names one.
    #[error("{0}")]
    Nowhere(String),
    #[error("{0}")]
    Unusable(String),
}

impl Token {
    /// `None` when it is empty, too long, or holds what no header or frame should (control characters).
    pub fn parse(text: &str) -> Option<Token> {
        let text = text.trim();
        let sound = !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && !text.chars().any(char::is_control);
        sound.then(|| Token(text.to_owned()))
    }

    /// What may be told of it. The first one reads the key; may block.
    pub fn fingerprint(&self, fingerprints: &Fingerprints) -> Fingerprint {
        fingerprints.of(&self.0)
    }

    /// For the one frame that bears it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl TokenPlaces {
    /// Those of a tenant. `home`: of its user; `owners`: see [`TokenPlaces::owners`]. What the gateway's own
    /// configuration says is for a gateway of this host.
    pub fn of(tenant: &Tenant, home: Option<&Path>, owners: Vec<u32>) -> TokenPlaces {
        let is_here = tenant.place().is_some_and(|place| place.address().is_this_host());
        TokenPlaces {
            token_file: tenant.token_file.clone(),
            env_file: tenant.env_file.clone(),
            config_file: is_here.then(|| config_file_of(&tenant.instance, home)).flatten(),
            owners,
        }
    }

    /// Reads anew, each time: a token that was replaced is the next handshake's. Reads files; may block.
    ///
    /// # Errors
    /// There is none, or the place that should hold it cannot be believed.
    pub fn read(&self) -> Result<Token, NoToken> {
        if let Some(path) = &self.token_file {
            let text = self.text("token_file", path, TOKEN_BYTES_MAX)?;
            return Token::parse(&text).ok_or_else(|| says("token_file", path, "holds no token: one line, no more"));
        }
        let mut in_env = None;
        if let Some(path) = &self.env_file {
            let text = self.text("env_file", path, env_file::FILE_BYTES_MAX)?;
            in_env = Some(env_file::parse(&text).vars);
            if let Some(token) = variable(in_env.as_deref(), TOKEN_VARIABLE) {
                return Token::parse(token).ok_or_else(|| says("env_file", path, "sets an empty or unreadable token"));
            }
        }
        match &self.config_file {
            Some(path) => self.configured(path, in_env.as_deref()),
            None => Err(NoToken::Nowhere(
                "no gateway token is known: set token_file under the tenant in the config".to_owned(),
            )),
        }
    }

    /// Changes when one of the files does.
    pub fn stamp(&self) -> TokenStamp {
        let places = [&self.token_file, &self.env_file, &self.config_file];
        TokenStamp(places.map(|path| path.as_deref().and_then(files::stamp)).to_vec())
    }

    fn configured(&self, path: &Path, in_env: Option<&[(String, String)]>) -> Result<Token, NoToken> {
        let text = self.text("config", path, CONFIG_BYTES_MAX)?;
        let config: Value = serde_json::from_str(&text).map_err(|_| {
            says(
                "config",
                path,
                "is not plain JSON: set token_file under the tenant instead",
            )
        })?;
        let token = &config["gateway"]["auth"]["token"];
        if let Some(text) = token.as_str() {
            let reference = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
            let Some(name) = reference else {
                return Err(NoToken::Nowhere(format!(
                    "config {} holds its token itself: set token_file under the tenant",
                    path.display()
                )));
            };
            let text = variable(in_env, name).ok_or_else(|| {
                says(
                    "config",
                    path,
                    "takes the token from a variable that env_file does not set",
                )
            })?;
            return Token::parse(text).ok_or_else(|| says("config", path, "holds an empty or unreadable token"));
        }
        match token["source"].as_str() {
            Some("env") => variable(in_env, token["id"].as_str().unwrap_or(TOKEN_VARIABLE))
                .and_then(Token::parse)
                .ok_or_else(|| {
                    says(
                        "config",
                        path,
                        "takes the token from a variable that env_file does not set",
                    )
                }),
            Some("file") => self.referred(path, &config, token),
            Some(_) => Err(says(
                "config",
                path,
                "takes the token from a source that is not read: set token_file",
            )),
            None => Err(NoToken::Nowhere(format!(
                "config {} holds no gateway.auth.token: set token_file under the tenant",
                path.display()
            ))),
        }
    }

    /// `{source: "file", provider, id}` with `secrets.providers.PROVIDER: {source: "file", path, mode}`.
    fn referred(&self, config_path: &Path, config: &Value, reference: &Value) -> Result<Token, NoToken> {
        let bad = |why| says("config", config_path, why);
        let provider = reference["provider"].as_str().unwrap_or("default");
        let provider = &config["secrets"]["providers"][provider];
        let path = provider["path"]
            .as_str()
            .or_else(|| reference["path"].as_str())
            .map(Path::new)
            .filter(|path| path.is_absolute())
            .ok_or_else(|| bad("refers to a file of secrets without an absolute path: set token_file"))?;
        let text = self.text("secrets file", path, CONFIG_BYTES_MAX)?;
        let id = reference["id"].as_str().unwrap_or("value");
        let token = match id.starts_with('/') {
            true => serde_json::from_str::<Value>(&text)
                .ok()
                .and_then(|secrets| Token::parse(secrets.pointer(id)?.as_str()?)),
            false => Token::parse(&text),
        };
        token.ok_or_else(|| says("secrets file", path, "holds no token where the config says"))
    }

    /// A regular file, no link, of root, ours or the tenant's, that nobody else may write.
    fn text(&self, what: &str, path: &Path, bytes_max: usize) -> Result<String, NoToken> {
        let no = |why: &str| says(what, path, why);
        let bytes = files::read_guarded(path, OFlags::NOFOLLOW, &self.owners, bytes_max).map_err(|why| no(&why))?;
        String::from_utf8(bytes).map_err(|_| no("is not UTF-8 text"))
    }
}

fn says(what: &str, path: &Path, why: &str) -> NoToken {
    NoToken::Unusable(format!("{what} {} {why}", path.display()))
}

fn variable<'a>(vars: Option<&'a [(String, String)]>, name: &str) -> Option<&'a str> {
    vars?
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests;
