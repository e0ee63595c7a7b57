//! What of the language and of its meaning is switched on, by the names that Prometheus's `--enable-feature` has.

use crate::parser::ParserOptions;

/// Experimental functions and aggregations.
const EXPERIMENTAL_FUNCTIONS: &str = "promql-experimental-functions";
/// `fill`, `fill_left` and `fill_right`.
const FILL_MODIFIERS: &str = "promql-binop-fill-modifiers";
/// When a value's name goes.
const DELAYED_NAME_REMOVAL: &str = "promql-delayed-name-removal";
/// What says of which type a series is.
const TYPE_LABELS: &str = "type-and-unit-labels";

/// What is switched on. The default is Prometheus's: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// What the parser takes.
    pub parser: ParserOptions,
    /// `promql-delayed-name-removal`, see [`EvalLimits::delayed_name_removal`](crate::EvalLimits::delayed_name_removal).
    pub delayed_name_removal: bool,
    /// `type-and-unit-labels`, see [`EvalLimits::type_labels`](crate::EvalLimits::type_labels).
    pub type_labels: bool,
}

/// A name that no feature has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no PromQL feature {0:?}; there are {known}", known = Features::NAMES.join(", "))]
pub struct UnknownFeature(pub String);

impl Features {
    /// The names. Those that Prometheus once had behind a switch and now has always are taken and change nothing, as there.
    pub const NAMES: [&str; 6] = [
        EXPERIMENTAL_FUNCTIONS,
        FILL_MODIFIERS,
        DELAYED_NAME_REMOVAL,
        TYPE_LABELS,
        "promql-duration-expr",
        "promql-extended-range-selectors",
    ];

    /// Switches the named features on.
    pub fn of_names(names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, UnknownFeature> {
        let mut features = Self::default();
        for name in names {
            match name.as_ref() {
                EXPERIMENTAL_FUNCTIONS => features.parser.experimental_functions = true,
                FILL_MODIFIERS => features.parser.fill_modifiers = true,
                DELAYED_NAME_REMOVAL => features.delayed_name_removal = true,
                TYPE_LABELS => features.type_labels = true,
                name if Self::NAMES.contains(&name) => {}
                name => return Err(UnknownFeature(name.to_owned())),
            }
        }
        Ok(features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_and_no_other() {
        let all = Features::of_names(Features::NAMES).expect("known names");
        assert_eq!(all, Features { parser: ParserOptions::ALL, delayed_name_removal: true, type_labels: true });
        assert_eq!(Features::of_names(["promql-duration-expr"]), Ok(Features::default()));
        expect_test::expect![[r#"there is no PromQL feature "native-histograms"; there are promql-experimental-functions, promql-binop-fill-modifiers, promql-delayed-name-removal, type-and-unit-labels, promql-duration-expr, promql-extended-range-selectors"#]]
            .assert_eq(&Features::of_names(["native-histograms"]).unwrap_err().to_string());
    }
}
