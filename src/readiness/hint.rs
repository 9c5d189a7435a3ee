//! What a person should do next, with the tenant it is about.
//!
//! Filled in where a check is shown, so that HTTP, the page and the command line say the same.

use crate::words::TenantName;

/// What stands in a declaration's hint for the tenant's name.
const TENANT: &str = "TENANT";

/// `Run: readyd digest --tenant TENANT` as `… --tenant acme`; for a check of the node as `Run: readyd digest`.
pub(super) fn filled(hint: &str, tenant: Option<&TenantName>) -> String {
    match tenant {
        Some(tenant) => replace_word(hint, tenant.as_str()),
        None => hint.replace(&format!(" --tenant {TENANT}"), ""),
    }
}

/// The word alone: `MY_TENANT_ID` is somebody else's.
fn replace_word(hint: &str, name: &str) -> String {
    let is_of_word = |character: char| character.is_alphanumeric() || character == '_';
    let mut filled = String::with_capacity(hint.len() + name.len());
    let mut rest = hint;
    while let Some((before, behind)) = rest.split_once(TENANT) {
        let stands_alone = !before.ends_with(is_of_word) && !behind.starts_with(is_of_word);
        filled.push_str(before);
        filled.push_str(if stands_alone { name } else { TENANT });
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_the_tenant_that_it_is_about() {
        let acme = TenantName::parse("acme").unwrap();
        for (hint, of_acme, of_node) in [
            ("Run: df -h", "Run: df -h", "Run: df -h"),
            (
                "Run: readyd digest --tenant TENANT, then ask",
                "Run: readyd digest --tenant acme, then ask",
                "Run: readyd digest, then ask",
            ),
            (
                "readyd explain gateway-link@TENANT; tenants.TENANT.jobs",
                "readyd explain gateway-link@acme; tenants.acme.jobs",
                "readyd explain gateway-link@TENANT; tenants.TENANT.jobs",
            ),
            ("echo $MY_TENANT_ID", "echo $MY_TENANT_ID", "echo $MY_TENANT_ID"),
            ("TENANT", "acme", "TENANT"),
        ] {
            assert_eq!(filled(hint, Some(&acme)), of_acme);
            assert_eq!(filled(hint, None), of_node);
        }
    }
}
