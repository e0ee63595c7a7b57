//! `backstop demo`.

use demo::{DemoError, DemoOptions, Link, SCENARIOS};

use crate::cli::DemoArgs;
use crate::exit::Failure;

/// Fastest and slowest telling.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// Tells the story.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    if !SCENARIOS.contains(&args.scenario.as_str()) {
        return Err(Failure::usage(
            format!("there is no scenario {:?}", args.scenario),
            format!("scenarios: {}", SCENARIOS.join(", ")),
        ));
    }
    if !SPEEDS.contains(&args.speed) {
        return Err(Failure::usage(format!("--speed is {}", args.speed), "give a number from 0.1 to 10"));
    }
    let broken = args.broken.as_deref().map(|name| {
        let names: Vec<&str> = Link::ALL.iter().map(|(name, _)| *name).collect();
        Link::parse(name)
            .ok_or_else(|| Failure::usage(format!("there is no link {name:?}"), format!("links: {}", names.join(", "))))
    });
    let binary = std::env::current_exe().map_err(|error| Failure::internal(error.to_string(), ""))?;
    let options = DemoOptions {
        binary,
        exit: args.exit,
        speed: args.speed,
        broken: broken.transpose()?,
        out: Box::new(std::io::stdout()),
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Failure::internal(error.to_string(), ""))?;
    let told = runtime.block_on(demo::run(options));
    runtime.shutdown_background();
    told.map_err(|error| match error {
        DemoError::NotClosed { .. } => Failure::negative(error.to_string()),
        _ => Failure::internal(error.to_string(), "the demo needs loopback ports and a writable temporary directory"),
    })
}
