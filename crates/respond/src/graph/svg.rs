//! Draws a flow chart: nodes in layers from the top, those of a layer ordered so that edges cross little.
//!
//! An edge that passes layers goes through a gap of its own in each of them, as if a small node stood there; so it never runs
//! under a box.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Graph, Shape};
use crate::Risk;

/// Width of a character of the font that is asked for, in pixels, on the safe side.
const CHAR_WIDTH: f64 = 7.2;
/// Height of a line, in pixels.
const LINE_HEIGHT: f64 = 16.0;
/// Room around a node's text, in pixels.
const PADDING: f64 = 12.0;
/// Room between nodes of a layer, in pixels.
const GAP_X: f64 = 36.0;
/// Room between layers, in pixels: an edge's label fits in.
const GAP_Y: f64 = 54.0;
/// Width of the gap that an edge passes a layer through, in pixels.
const PASS_WIDTH: f64 = 24.0;
/// Width of a character of an edge's label, in pixels, on the safe side.
const LABEL_CHAR_WIDTH: f64 = 6.7;
/// Room between an edge and its label, in pixels.
const LABEL_GAP: f64 = 6.0;
/// Room around the picture, in pixels.
const MARGIN: f64 = 24.0;
/// How often layers are ordered anew.
const SWEEPS: usize = 8;

/// What stands in a layer.
#[derive(Clone, Debug, PartialEq)]
struct Slot {
    /// The node; `None` where an edge passes.
    node: Option<usize>,
    layer: usize,
    width: f64,
    height: f64,
    x: f64,
    y: f64,
}

struct Layout {
    slots: Vec<Slot>,
    /// The slots of each layer, from left to right.
    layers: Vec<Vec<usize>>,
    /// The slots that each edge goes through, the first and last being nodes.
    routes: Vec<Vec<usize>>,
    width: f64,
    height: f64,
}

pub(super) fn draw(graph: &Graph) -> String {
    let layout = layout(graph);
    let mut out = String::new();
    let (width, height) = (layout.width, layout.height);
    // Writing to a text can not fail.
    let _ = writeln!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">
<title>{}</title>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#5f6b7a"/></marker></defs>
<rect width="100%" height="100%" fill="#ffffff"/>"##,
        escape(&graph.name)
    );
    for (edge, route) in graph.edges.iter().zip(&layout.routes) {
        draw_edge(&mut out, &layout, route, &edge.label, edge.fails);
    }
    for slot in &layout.slots {
        if let Some(node) = slot.node {
            draw_node(&mut out, graph, slot, node);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn layout(graph: &Graph) -> Layout {
    let node_layers = graph.layers();
    let mut slots: Vec<Slot> = (0..graph.nodes.len()).map(|node| node_slot(graph, node, node_layers[node])).collect();
    let mut routes = Vec::new();
    for edge in &graph.edges {
        let mut route = vec![edge.from];
        for layer in node_layers[edge.from] + 1..node_layers[edge.to] {
            route.push(slots.len());
            slots.push(Slot { node: None, layer, width: PASS_WIDTH, height: 0.0, x: 0.0, y: 0.0 });
        }
        route.push(edge.to);
        routes.push(route);
    }
    let count = slots.iter().map(|slot| slot.layer + 1).max().unwrap_or(0);
    let mut layers = vec![Vec::new(); count];
    for (place, slot) in slots.iter().enumerate() {
        layers[slot.layer].push(place);
    }
    let mut layout = Layout { slots, layers, routes, width: 0.0, height: 0.0 };
    order(&mut layout);
    place(&mut layout);
    let labels =
        graph.edges.iter().zip(&layout.routes).map(|(edge, route)| label_at(&layout.slots, route, &edge.label));
    let right = labels.map(|label| label.x + label.width).fold(0.0, f64::max);
    layout.width = layout.width.max(right + MARGIN);
    layout
}

/// Where an edge's label stands: beside the edge, on the side to which it leans, and inside the picture.
struct Label {
    x: f64,
    y: f64,
    width: f64,
}

fn label_at(slots: &[Slot], route: &[usize], label: &str) -> Label {
    let (from, next, last) = (&slots[route[0]], &slots[route[1]], &slots[route[route.len() - 1]]);
    let (width, lean) = (label.chars().count() as f64 * LABEL_CHAR_WIDTH, f64::midpoint(from.x, next.x));
    let beside = if last.x < from.x { lean - LABEL_GAP - width } else { lean + LABEL_GAP };
    Label { x: beside.max(MARGIN), y: from.y + from.height / 2.0 + GAP_Y / 2.0, width }
}

fn node_slot(graph: &Graph, node: usize, layer: usize) -> Slot {
    let lines = &graph.nodes[node].lines;
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let slant = if graph.nodes[node].shape == Shape::Choice { 2.0 * PADDING } else { 0.0 };
    let width = longest as f64 * CHAR_WIDTH + 2.0 * PADDING + slant;
    let height = lines.len() as f64 * LINE_HEIGHT + 2.0 * PADDING;
    Slot { node: Some(node), layer, width, height, x: 0.0, y: 0.0 }
}

/// Orders layers by where their neighbours stand, downwards and upwards in turn.
fn order(layout: &mut Layout) {
    let mut neighbours: BTreeMap<(usize, bool), Vec<usize>> = BTreeMap::new();
    for route in &layout.routes {
        for pair in route.windows(2) {
            neighbours.entry((pair[1], true)).or_default().push(pair[0]);
            neighbours.entry((pair[0], false)).or_default().push(pair[1]);
        }
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let count = layout.layers.len();
        let sequence: Vec<usize> = if down { (0..count).collect() } else { (0..count).rev().collect() };
        for layer in sequence {
            let mut at = vec![0.0; layout.slots.len()];
            for slots in &layout.layers {
                for (place, slot) in slots.iter().enumerate() {
                    at[*slot] = (place as f64 + 0.5) / slots.len() as f64;
                }
            }
            let wanted = |slot: &usize| match neighbours.get(&(*slot, down)) {
                Some(found) => found.iter().map(|other| at[*other]).sum::<f64>() / found.len() as f64,
                None => at[*slot],
            };
            layout.layers[layer].sort_by(|a, b| wanted(a).total_cmp(&wanted(b)));
        }
    }
}

/// Gives every slot its place: layers below each other, each centred.
fn place(layout: &mut Layout) {
    let row_width = |slots: &[usize], all: &[Slot]| {
        slots.iter().map(|slot| all[*slot].width).sum::<f64>() + GAP_X * slots.len().saturating_sub(1) as f64
    };
    let widest = layout.layers.iter().map(|slots| row_width(slots, &layout.slots)).fold(0.0, f64::max);
    let mut y = MARGIN;
    for slots in &layout.layers {
        let height = slots.iter().map(|slot| layout.slots[*slot].height).fold(0.0, f64::max);
        let mut x = MARGIN + (widest - row_width(slots, &layout.slots)) / 2.0;
        for slot in slots {
            let slot = &mut layout.slots[*slot];
            slot.x = x + slot.width / 2.0;
            slot.y = y + height / 2.0;
            x += slot.width + GAP_X;
            if slot.node.is_none() {
                slot.height = height;
            }
        }
        y += height + GAP_Y;
    }
    layout.width = widest + 2.0 * MARGIN;
    layout.height = y - GAP_Y + MARGIN;
}

fn draw_edge(out: &mut String, layout: &Layout, route: &[usize], label: &str, fails: bool) {
    let from = &layout.slots[route[0]];
    let (mut x, mut y) = (from.x, from.y + from.height / 2.0);
    let mut path = format!("M{x:.1} {y:.1}");
    for slot in &route[1..] {
        let slot = &layout.slots[*slot];
        let (next_x, top) = (slot.x, slot.y - slot.height / 2.0);
        let middle = f64::midpoint(y, top);
        let _ = write!(path, " C{x:.1} {middle:.1} {next_x:.1} {middle:.1} {next_x:.1} {top:.1}");
        (x, y) = (next_x, top);
        if slot.node.is_none() {
            y = slot.y + slot.height / 2.0;
            let _ = write!(path, " L{x:.1} {y:.1}");
        }
    }
    let (colour, dash) = if fails { ("#b3261e", r#" stroke-dasharray="5 4""#) } else { ("#5f6b7a", "") };
    let _ = writeln!(
        out,
        r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash} marker-end="url(#arrow)"/>"#
    );
    if !label.is_empty() {
        let at = label_at(&layout.slots, route, label);
        let _ = writeln!(
            out,
            r##"<text x="{:.1}" y="{:.1}" fill="{colour}" stroke="#ffffff" stroke-width="3" paint-order="stroke" font-size="11">{}</text>"##,
            at.x,
            at.y,
            escape(label)
        );
    }
}

fn draw_node(out: &mut String, graph: &Graph, slot: &Slot, node: usize) {
    let node = &graph.nodes[node];
    let (left, top) = (slot.x - slot.width / 2.0, slot.y - slot.height / 2.0);
    let (right, bottom) = (left + slot.width, top + slot.height);
    let (stroke, width) = match node.risk {
        Risk::None => ("#5f6b7a", 1.2),
        Risk::Low => ("#2e7d32", 2.0),
        Risk::Medium => ("#b26a00", 2.0),
        Risk::High => ("#b3261e", 3.0),
    };
    let paint = format!(r#"stroke="{stroke}" stroke-width="{width}""#);
    let _ = match node.shape {
        Shape::Choice => {
            let (a, b, y) = (left + PADDING, right - PADDING, slot.y);
            let points = format!(
                "{a:.1},{top:.1} {b:.1},{top:.1} {right:.1},{y:.1} {b:.1},{bottom:.1} {a:.1},{bottom:.1} {left:.1},{y:.1}"
            );
            writeln!(out, r##"<polygon points="{points}" fill="#fff8e1" {paint}/>"##)
        }
        shape => {
            let (radius, fill) = match shape {
                Shape::Terminal => (slot.height / 2.0, "#eceff1"),
                Shape::Act => (2.0, "#fdecea"),
                _ => (4.0, "#f5f8ff"),
            };
            let (w, h) = (slot.width, slot.height);
            writeln!(
                out,
                r#"<rect x="{left:.1}" y="{top:.1}" width="{w:.1}" height="{h:.1}" rx="{radius:.1}" fill="{fill}" {paint}/>"#
            )
        }
    };
    for (n, line) in node.lines.iter().enumerate() {
        let y = top + PADDING + LINE_HEIGHT * (n as f64 + 0.75);
        let weight = if n == 0 { r#" font-weight="600""# } else { "" };
        let _ = writeln!(
            out,
            r##"<text x="{:.1}" y="{y:.1}" text-anchor="middle" fill="#1d2733"{weight}>{}</text>"##,
            slot.x,
            escape(line)
        );
    }
}

/// A text inside XML. Control characters are not allowed there at all.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
