use std::collections::HashMap;
use std::path::PathBuf;
const SYSTEMS: &[&str] =
    &["Android", "Apache", "BGL", "HDFS", "HPC", "Hadoop", "Linux", "Mac", "OpenSSH", "Spark", "Windows"];
fn csv(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut cell = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            c => cell.push(c),
        }
    }
    if !cell.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}
fn load(s: &str, raw: bool) -> Vec<(String, String)> {
    let root = std::env::var_os("BACKSTOP_SHARED")
        .map_or_else(|| PathBuf::from("/work/shared"), PathBuf::from)
        .join("data/logs")
        .join(s);
    let text =
        String::from_utf8_lossy(&std::fs::read(root.join(format!("{s}_2k.log_structured_corrected.csv"))).unwrap())
            .into_owned();
    let rows = csv(&text);
    let c = rows[0].iter().position(|h| h == "Content").unwrap();
    let e = rows[0].iter().position(|h| h == "EventId").unwrap();
    let raws = String::from_utf8_lossy(&std::fs::read(root.join(format!("{s}_2k.log"))).unwrap()).into_owned();
    let raws: Vec<&str> = raws.lines().collect();
    rows[1..]
        .iter()
        .enumerate()
        .map(|(n, r)| (if raw { raws[n].to_owned() } else { r[c].clone() }, r[e].clone()))
        .collect()
}
#[test]
fn proto() {
    let show = std::env::var("SHOW").unwrap_or_default();
    for raw in [false, true] {
        let mut sum = 0.0;
        let mut line = String::new();
        for s in SYSTEMS {
            let rows = load(s, raw);
            let lines: Vec<String> = rows.iter().map(|r| r.0.clone()).collect();
            let mut m = pattern::Miner::new(pattern::Limits::default());
            for l in &lines {
                m.learn(l, 1);
            }
            m.refine();
            let got: Vec<(pattern::PatternId, String)> = lines
                .iter()
                .map(|l| {
                    let id = m.find(l).unwrap();
                    (id, m.template(id).unwrap())
                })
                .collect();
            let mut truth: HashMap<&str, Vec<usize>> = HashMap::new();
            let mut pred: HashMap<pattern::PatternId, Vec<usize>> = HashMap::new();
            for (n, r) in rows.iter().enumerate() {
                truth.entry(&r.1).or_default().push(n);
                pred.entry(got[n].0).or_default().push(n);
            }
            let mut good = 0;
            let mut bad = Vec::new();
            for (e, set) in &truth {
                if pred[&got[set[0]].0] == *set {
                    good += set.len();
                } else {
                    bad.push((set.len(), *e, set));
                }
            }
            if show == *s && raw == std::env::var("RAW").is_ok() {
                bad.sort();
                bad.reverse();
                for (n, e, set) in bad.iter().take(60) {
                    println!("--- {e} {n}");
                    let mut ps: HashMap<pattern::PatternId, (usize, String, String)> = HashMap::new();
                    for l in *set {
                        let x = ps.entry(got[*l].0).or_insert((0, got[*l].1.clone(), lines[*l].clone()));
                        x.0 += 1;
                    }
                    let mut ps: Vec<_> = ps.into_iter().collect();
                    ps.sort_by_key(|p| std::cmp::Reverse(p.1.0));
                    for (g, (c, f, l)) in ps.iter().take(4) {
                        let others: std::collections::BTreeSet<&str> = pred[g].iter().map(|l| &*rows[*l].1).collect();
                        println!("   {c}/{} [{}] {others:?} {:.250} || {l:.150}", pred[g].len(), ps.len(), f);
                    }
                }
            }
            sum += good as f64 / rows.len() as f64;
            line += &format!("{s} {:.3} ({}/{})  ", good as f64 / rows.len() as f64, pred.len(), truth.len());
        }
        println!("raw={raw} mean {:.4}: {line}", sum / SYSTEMS.len() as f64);
    }
}
