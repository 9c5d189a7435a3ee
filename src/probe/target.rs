//! Whom a probe asks, in the places and words of the real OpenClaw. Pure: homes are given, not looked up.

use std::path::{Path, PathBuf};

use super::declaration::{Instance, StateDir, Target, TenantTarget};
use crate::config::Config;

const PLACEHOLDERS: [&str; 5] = ["tenant", "profile", "state_dir", "config", "port"];

/// Where OpenClaw keeps a tenant's state: `~/.openclaw`, `~/.openclaw-PROFILE`, or as configured.
///
/// Source: `openclaw --profile` and `OPENCLAW_STATE_DIR` as measured on 2026.9.6. `home` is the home of
/// the tenant's user. `None` when the tenant's instance or home is not known.
pub fn state_dir_of(instance: &Instance, home: Option<&Path>) -> Option<PathBuf> {
    match instance {
        Instance::Unknown => None,
        Instance::Default => home.map(|home| home.join(".openclaw")),
        Instance::Profile(profile) => home.map(|home| home.join(format!(".openclaw-{profile}"))),
        Instance::StateDir { state_dir, .. } => Some(state_dir.clone()),
    }
}

/// The config file that OpenClaw reads for a tenant: `openclaw.json` in its state directory, or as configured.
pub fn config_file_of(instance: &Instance, home: Option<&Path>) -> Option<PathBuf> {
    match instance {
        Instance::StateDir {
            config: Some(config), ..
        } => Some(config.clone()),
        other => state_dir_of(other, home).map(|dir| dir.join("openclaw.json")),
    }
}

/// The node's state directory and each tenant's whose place is known, for [`Target::Node`].
/// `home_of` answers with the home of a user (`None`: ours).
pub fn state_dirs(config: &Config, home_of: impl Fn(Option<&str>) -> Option<PathBuf>) -> Vec<StateDir> {
    let own = StateDir {
        path: config.state_dir.clone(),
        tenant: None,
        user: None,
    };
    let tenants = config.tenants.values().filter_map(|tenant| {
        let home = home_of(tenant.user.as_deref());
        Some(StateDir {
            path: state_dir_of(&tenant.instance, home.as_deref())?,
            tenant: Some(tenant.name.clone()),
            user: tenant.user.clone(),
        })
    });
    std::iter::once(own).chain(tenants).collect()
}

/// `template` with every `{tenant} {profile} {state_dir} {config} {port}` filled in; the error says which
/// setting is missing for it. `home` is the home of the user that asks.
///
/// One pass: a value is not filled again, and other braces (JSON, say) stay as they are. No shell reads
/// the result, so a value cannot become two arguments.
pub fn fill(template: &str, target: &Target, home: Option<&Path>) -> Result<String, String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, placeholder, after)) = next_placeholder(rest) {
        filled.push_str(before);
        filled.push_str(&value(placeholder, target, home)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

pub fn has_placeholder(template: &str) -> bool {
    next_placeholder(template).is_some()
}

/// What stands before the first placeholder, its name, and what stands behind it.
fn next_placeholder(text: &str) -> Option<(&str, &'static str, &str)> {
    text.match_indices('{').find_map(|(at, _)| {
        let inside = &text[at + 1..];
        let name = PLACEHOLDERS
            .into_iter()
            .find(|name| inside.strip_prefix(name).is_some_and(|rest| rest.starts_with('}')))?;
        Some((&text[..at], name, &inside[name.len() + 1..]))
    })
}

fn value(placeholder: &str, target: &Target, home: Option<&Path>) -> Result<String, String> {
    let Target::Tenant(tenant) = target else {
        return Err(format!(
            "{{{placeholder}}} needs a tenant: say `scope: tenant`, or leave it out"
        ));
    };
    of_tenant(placeholder, tenant, home).ok_or_else(|| {
        format!(
            "{{{placeholder}}} has no value: say {} for tenant {}",
            setting(placeholder),
            tenant.name
        )
    })
}

fn of_tenant(placeholder: &str, tenant: &TenantTarget, home: Option<&Path>) -> Option<String> {
    let text = |path: PathBuf| path.into_os_string().into_string().ok();
    match placeholder {
        "tenant" => Some(tenant.name.to_string()),
        "profile" => match &tenant.instance {
            Instance::Profile(profile) => Some(profile.clone()),
            Instance::Default => Some("default".to_owned()),
            Instance::StateDir { .. } | Instance::Unknown => None,
        },
        "state_dir" => text(state_dir_of(&tenant.instance, home)?),
        "config" => text(config_file_of(&tenant.instance, home)?),
        _ => tenant.port.map(|port| port.to_string()),
    }
}

fn setting(placeholder: &str) -> &'static str {
    match placeholder {
        "profile" => "`profile:`",
        "port" => "`port:`",
        _ => "`profile:` or `state_dir:`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, instance: Instance, port: Option<u16>) -> String {
        let target = Target::of(TenantTarget {
            instance,
            port,
            ..TenantTarget::specimen("acme")
        });
        fill(template, &target, Some(Path::new("/home/a"))).unwrap_or_else(|error| format!("error: {error}"))
    }

    #[test]
    fn the_state_of_a_profile_is_a_folder_beside_the_default_one() {
        let home = Some(Path::new("/home/oc"));
        let of = |instance: &Instance| state_dir_of(instance, home).map(|path| path.display().to_string());
        assert_eq!(of(&Instance::Default).unwrap(), "/home/oc/.openclaw");
        assert_eq!(
            of(&Instance::Profile("beta".into())).unwrap(),
            "/home/oc/.openclaw-beta"
        );
        assert_eq!(of(&Instance::Unknown), None);
        let said = Instance::StateDir {
            state_dir: "/srv/oc".into(),
            config: None,
        };
        assert_eq!(of(&said).unwrap(), "/srv/oc");
        assert_eq!(config_file_of(&said, None).unwrap(), Path::new("/srv/oc/openclaw.json"));
        assert_eq!(state_dir_of(&Instance::Default, None), None);
    }

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        let beta = || Instance::Profile("{tenant} x".into());
        assert_eq!(filled("a{tenant}b{port}{tenant}", beta(), Some(7)), "aacmeb7acme");
        assert_eq!(
            filled("{profile}", beta(), None),
            "{tenant} x",
            "a value is not filled again"
        );
        assert_eq!(
            filled(r#"{"x":{tenant}} {} {nope} {tenant"#, beta(), None),
            r#"{"x":acme} {} {nope} {tenant"#
        );
        assert_eq!(
            filled("{profile} {config}", Instance::Default, None),
            "default /home/a/.openclaw/openclaw.json"
        );
        assert_eq!(
            filled("{state_dir}", Instance::Profile("b".into()), None),
            "/home/a/.openclaw-b"
        );
    }

    #[test]
    fn a_missing_value_names_its_setting() {
        assert_eq!(
            filled("{port}", Instance::Default, None),
            "error: {port} has no value: say `port:` for tenant acme"
        );
        assert_eq!(
            filled("{config}", Instance::Unknown, None),
            "error: {config} has no value: say `profile:` or `state_dir:` for tenant acme"
        );
        let node = Target::Node {
            state_dirs: Vec::new(),
            senders: Vec::new(),
        };
        assert_eq!(
            fill("{tenant}", &node, None).unwrap_err(),
            "{tenant} needs a tenant: say `scope: tenant`, or leave it out"
        );
    }
}
