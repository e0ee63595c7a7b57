//! What the server was started with, as the API shows it.

use std::collections::BTreeMap;

use api::Settings;
use config::{Config, RawConfig, show_duration_ns};

use crate::cli::ServeArgs;
use crate::exit::Failure;

/// The configuration file with its defaults, secrets masked, and the options of the command line.
pub(crate) fn settings(args: &ServeArgs, config: &Config) -> Result<Settings, Failure> {
    let raw = match &args.config {
        None => RawConfig::default(),
        Some(path) => {
            let unreadable =
                |error| Failure::usage(format!("cannot read {}: {error}", path.display()), "name a YAML file");
            let text = std::fs::read_to_string(path).map_err(unreadable)?;
            let raw = RawConfig::parse(&path.display().to_string(), &text);
            raw.map_err(|error| Failure::usage(error.to_string(), ""))?
        }
    };
    let retention_ns = i64::try_from(config.store.retention_metrics.as_nanos()).unwrap_or(i64::MAX);
    Ok(Settings {
        yaml: raw.shown(),
        flags: flags(args, config),
        retention: show_duration_ns(retention_ns),
        external_labels: config.external_labels.clone(),
    })
}

/// Every option by its name, with what it came to.
fn flags(args: &ServeArgs, config: &Config) -> BTreeMap<String, String> {
    let file = args.config.as_ref().map_or_else(String::new, |path| path.display().to_string());
    let flags = [
        ("config", file),
        ("data", config.data_dir.display().to_string()),
        ("listen", config.listen.to_string()),
        ("no-receivers", args.no_receivers.to_string()),
        ("rules", args.rules.join(",")),
        ("playbooks", args.playbooks.join(",")),
        ("services", args.services.join(",")),
        ("enable-feature", config.query.promql_features.join(",")),
        ("insecure", config.insecure.to_string()),
    ];
    flags.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
