//! The flow chart of a playbook, as text and as a picture.

use expect_test::expect;

use super::*;
use crate::Graph;

const FLOW: &str = r#"
playbook: flow
mode: approve
match: {service: checkout}
steps:
- id: errors
  query: {expr: 'sum(rate(errors[1m]))'}
- id: which
  decide:
    cases: [{when: 'steps.errors.value > 5', goto: back}]
    else: {goto: ask}
- id: back
  rollback: {kind: exec, target: {argv: [/bin/rollback, "{{ service }}"]}}
  on_fail: {goto: page}
- verify: {expr: 'errors < 1', for: 2m, within: 5m}
  on_fail: {goto: page}
- id: ask
  ask: {question: 'Restart "{{ service }}"?', of: [sre], choices: {restart: {goto: restart}, no: {goto: page}}, on_timeout: {goto: page}}
- id: restart
  restart: {kind: exec, target: {argv: [/bin/restart]}}
- id: page
  notify: {receiver: oncall}
"#;

#[test]
fn a_playbook_is_a_flow_chart() {
    let graph = Graph::of(&playbooks(FLOW)[0]);
    expect![[r#"
        flowchart TD
          start(["flow<br/>mode approve<br/>service = checkout"])
          s1["errors: query<br/>sum(rate(errors[1m]))<br/>timeout 30s"]
          s2{{"which: decide"}}
          s3[["back: rollback<br/>rollback by exec to the version before<br/>timeout 1m<br/>risk medium"]]:::medium
          s4["verify<br/>errors #60; 1<br/>for 2m<br/>timeout 5m"]
          s5{{"ask: ask<br/>Restart #34;#123;#123; service #125;#125;#34;?<br/>1 of sre<br/>timeout 30m"}}
          s6[["restart: restart<br/>restart by exec<br/>timeout 1m<br/>risk medium"]]:::medium
          s7["page: notify<br/>tell oncall"]
          done(["end"])
          start --> s1
          s1 --> s2
          s2 -->|"steps.errors.value #62; 5"| s3
          s2 -->|"else"| s5
          s3 --> s4
          s3 -.->|"fails"| s7
          s4 -.->|"fails"| s7
          s4 --> done
          s5 -->|"restart"| s6
          s5 -->|"no"| s7
          s5 -.->|"timeout"| s7
          s6 --> done
          s6 -.->|"fails: page people"| done
          s7 --> done
          classDef low stroke:#2e7d32,stroke-width:2px
          classDef medium stroke:#b26a00,stroke-width:2px
          classDef high stroke:#b3261e,stroke-width:3px
    "#]]
    .assert_eq(&graph.mermaid());
}

/// What the picture needs to be one: every box inside the frame, none over another, every edge and label there.
#[test]
fn the_picture_shows_every_node_and_edge() {
    let graph = Graph::of(&playbooks(FLOW)[0]);
    let svg = graph.svg();
    let numbers = |line: &str, names: [&str; 4]| {
        names.map(|name| {
            let at = line.find(&format!(" {name}=\"")).unwrap_or_else(|| panic!("{name} in {line}")) + name.len() + 3;
            let text: String = line[at..].chars().take_while(|c| *c != '"').collect();
            text.parse::<f64>().unwrap_or_else(|_| panic!("{text:?}"))
        })
    };
    let boxes: Vec<[f64; 4]> = svg
        .lines()
        .filter(|line| line.starts_with("<rect x="))
        .map(|line| numbers(line, ["x", "y", "width", "height"]))
        .collect();
    let choices = svg.lines().filter(|line| line.starts_with("<polygon")).count();
    assert_eq!((boxes.len(), choices), (7, 2));
    for (n, [x, y, width, height]) in boxes.iter().enumerate() {
        assert!(*x >= 0.0 && *y >= 0.0, "box {n} begins outside");
        for [other_x, other_y, other_width, other_height] in &boxes[n + 1..] {
            let apart = x + width <= *other_x
                || other_x + other_width <= *x
                || y + height <= *other_y
                || other_y + other_height <= *y;
            assert!(apart, "two boxes overlap");
        }
    }
    let width = numbers(svg.lines().next().expect("a line"), ["width", "height", "width", "height"])[0];
    for label in svg.lines().filter(|line| line.contains("paint-order")) {
        let [x, _, _, _] = numbers(label, ["x", "y", "x", "y"]);
        let text = label.split('>').nth(1).unwrap_or("").trim_end_matches("</text");
        assert!(x >= 0.0 && x + 5.0 * text.len() as f64 <= width, "{text:?} is outside");
    }
    assert_eq!(svg.matches("marker-end").count(), graph.edges.len());
    for edge in &graph.edges {
        assert!(edge.to > edge.from, "an edge goes back");
    }
    assert!(svg.contains("Restart &quot;{{ service }}&quot;?"), "texts are escaped");
    assert!(!svg.contains("<script"));
}
