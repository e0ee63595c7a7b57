//! How queries are shown: on several lines, as a tree, as a plan.

use expect_test::expect;
use promql::parse;

#[test]
fn long_queries_print_on_several_lines() {
    let query = "histogram_quantile(0.99, sum by (le, service_name) (rate(http_request_duration_seconds_bucket{job=\"api\"}[5m]))) > 1";
    let want = [
        "  histogram_quantile(",
        "    0.99,",
        "    sum by (le, service_name) (rate(http_request_duration_seconds_bucket{job=\"api\"}[5m]))",
        "  )",
        ">",
        "  1",
    ];
    assert_eq!(parse(query).unwrap().pretty(), want.join("\n"));
}

#[test]
fn the_tree_is_json_as_prometheus_shows_it() {
    let json = |query: &str| parse(query).unwrap().to_json().to_string();
    expect![[r#"{"type":"aggregation","op":"sum","expr":{"type":"call","func":{"name":"rate","argTypes":["matrix"],"variadic":0,"returnType":"vector"},"args":[{"type":"matrixSelector","range":300000,"rangeExpr":null,"name":"x","offset":60000,"offsetExpr":null,"matchers":[{"name":"b","value":"c","type":"!="},{"name":"__name__","value":"x","type":"="}],"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false}]},"param":null,"grouping":["a"],"without":false}"#]].assert_eq(&json("sum by (a) (rate(x{b!=\"c\"}[5m] offset 1m))"));
    expect![[r#"{"type":"unaryExpr","op":"-","expr":{"type":"parenExpr","expr":{"type":"binaryExpr","op":"+","lhs":{"type":"numberLiteral","val":"1"},"rhs":{"type":"vectorSelector","name":"bool_metric","offset":0,"offsetExpr":null,"matchers":[{"name":"__name__","value":"bool_metric","type":"="}],"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false},"matching":null,"bool":false}}}"#]].assert_eq(&json("-(1 + bool_metric)"));
    expect![[r#"{"type":"binaryExpr","op":"/","lhs":{"type":"vectorSelector","name":"a","offset":0,"offsetExpr":null,"matchers":[{"name":"__name__","value":"a","type":"="}],"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false},"rhs":{"type":"vectorSelector","name":"b","offset":0,"offsetExpr":null,"matchers":[{"name":"__name__","value":"b","type":"="}],"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false},"matching":{"card":"many-to-one","labels":["x"],"on":true,"include":["y"],"fillValues":{"lhs":null,"rhs":null}},"bool":false}"#]].assert_eq(&json("a / on (x) group_left (y) b"));
    expect![[r#"{"type":"matrixSelector","range":0,"rangeExpr":{"type":"durationExpr","op":"*","lhs":{"type":"numberLiteral","val":"300","duration":true},"rhs":{"type":"durationExpr","op":"+","lhs":null,"rhs":{"type":"numberLiteral","val":"2","duration":false},"wrapped":true},"wrapped":false},"name":"x","offset":0,"offsetExpr":null,"matchers":[{"name":"__name__","value":"x","type":"="}],"timestamp":null,"startOrEnd":"end","anchored":false,"smoothed":false}"#]].assert_eq(&json("x[5m * (2)] @ end()"));
    expect![[r#"{"type":"call","func":{"name":"max_over_time","argTypes":["matrix"],"variadic":0,"returnType":"vector"},"args":[{"type":"subquery","expr":{"type":"vectorSelector","name":"x","offset":0,"offsetExpr":null,"matchers":[{"name":"__name__","value":"x","type":"="}],"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false},"range":3600000,"rangeExpr":null,"offset":0,"offsetExpr":null,"step":300000,"stepExpr":null,"timestamp":1500,"startOrEnd":null}]}"#]].assert_eq(&json("max_over_time(x[1h:5m] @ 1.5)"));
}

#[test]
fn plans_show_what_streams() {
    let plan = |query: &str| promql::explain(&parse(query).unwrap());
    expect![[r#"
        stream: operator with a scalar >
          collect: join by labels, operator / on () group_left ()
            group: sum by (mode)
              stream: rate, windows slide once over each series
                select x_total[5m]: samples of all windows
            group: count
              select y: newest samples at each step
          scalar 0.5"#]]
    .assert_eq(&plan("sum by (mode) (rate(x_total[5m])) / on () group_left () count(y) > 0.5"));
    expect![[r#"
        collect: histogram_count
          stream: rate, windows slide once over each series
            select h[5m]: samples of all windows, of histograms count and sum only"#]]
    .assert_eq(&plan("histogram_count(rate(h[5m]))"));
    expect![[r#"
        collect: topk
          scalar scalar(n)
            select n: newest samples at each step
          stream: max_over_time, windows slide once over each series
            collect: rows of a subquery [1h:1m] as samples
              stream: deriv, windows slide once over each series
                select x[5m]: samples of all windows"#]]
    .assert_eq(&plan("topk(scalar(n), max_over_time(deriv(x[5m])[1h:1m]))"));
}
