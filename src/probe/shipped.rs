//! The probes that ship, compiled in. Their comments say why they are as they are.

/// Name of the file in `probes/` and its text. In order of name.
pub const SHIPPED: &[(&str, &str)] = &[
    ("certificate.yaml", include_str!("../../probes/certificate.yaml")),
    ("clock.yaml", include_str!("../../probes/clock.yaml")),
    ("config.yaml", include_str!("../../probes/config.yaml")),
    ("cost.yaml", include_str!("../../probes/cost.yaml")),
    ("disk.yaml", include_str!("../../probes/disk.yaml")),
    ("doctor.yaml", include_str!("../../probes/doctor.yaml")),
    ("exposure.yaml", include_str!("../../probes/exposure.yaml")),
    ("fragments.yaml", include_str!("../../probes/fragments.yaml")),
    ("gateway-link.yaml", include_str!("../../probes/gateway-link.yaml")),
    ("gateway.yaml", include_str!("../../probes/gateway.yaml")),
    ("host.yaml", include_str!("../../probes/host.yaml")),
    ("queue.yaml", include_str!("../../probes/queue.yaml")),
    ("secrets.yaml", include_str!("../../probes/secrets.yaml")),
    ("security.yaml", include_str!("../../probes/security.yaml")),
    ("stale-process.yaml", include_str!("../../probes/stale-process.yaml")),
    ("store.yaml", include_str!("../../probes/store.yaml")),
    ("token-rotation.yaml", include_str!("../../probes/token-rotation.yaml")),
    ("version-lock.yaml", include_str!("../../probes/version-lock.yaml")),
    ("webhook-digest.yaml", include_str!("../../probes/webhook-digest.yaml")),
    ("write.yaml", include_str!("../../probes/write.yaml")),
];

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test reads the folder that ships")]
mod tests {
    use super::*;

    #[test]
    fn every_declaration_in_probes_is_compiled_in_under_its_own_name() {
        let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/probes"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".yaml"))
            .collect();
        files.sort();
        let shipped: Vec<&str> = SHIPPED.iter().map(|(file, _)| *file).collect();
        assert_eq!(shipped, files);
        for (file, text) in SHIPPED {
            let name = text.lines().find_map(|line| line.strip_prefix("name: ")).unwrap();
            assert_eq!(&format!("{name}.yaml"), file);
        }
    }
}
