#[test]
fn show() {
    for f in ["auth/auth.log", "web/apache_access.log", "web/nginx_plus.ndjson"] {
        let text = String::from_utf8_lossy(&std::fs::read(format!("/work/shared/data/logs/{f}")).unwrap()).into_owned();
        let mut m = pattern::Miner::new(pattern::Limits::default());
        let t = std::time::Instant::now();
        for l in text.lines() {
            m.learn(l, 1);
        }
        m.refine();
        let el = t.elapsed();
        let mut p: Vec<_> = m.patterns().collect();
        p.sort_by_key(|p| std::cmp::Reverse(p.rows));
        println!("== {f} {} lines {} patterns {:?}", text.lines().count(), p.len(), el);
        for p in p.iter().take(60) {
            println!("{} {} {:.300}", p.id, p.rows, p.template);
        }
    }
}
