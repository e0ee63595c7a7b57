//! Lines made up for this project, for machines without a corpus of real ones. Figures from them compare only with
//! themselves: they are fewer and more alike than real lines.

/// Service and its lines.
pub(crate) const SERVICES: &[(&str, &str)] =
    &[("checkout", CHECKOUT), ("gateway", GATEWAY), ("login", LOGIN), ("scheduler", SCHEDULER), ("storage", STORAGE)];

const CHECKOUT: &str = "\
order 48211930 accepted for cart 7f3a91bc04de, total 84.20 EUR, 3 positions
order 48211931 rejected: card issuer answered 51 after 212 ms
payment 9920381 authorised at acquirer 7 in 31 ms, reference 0x9f31c2aa
payment 9920382 failed: acquirer 4 closed the session before the answer
cart 7f3a91bc04df abandoned after 1800 s with 2 positions
invoice 2026-48211930 sent to queue mail-3, 18231 bytes
stock of article 551203 lowered by 2, 117 left in warehouse 3
exchange rate cache refreshed from provider 2: 34 pairs, oldest 12 s
";

const GATEWAY: &str = "\
10.20.30.41 - GET /api/articles/551203 200 5123 bytes 12 ms
10.20.30.42 - POST /api/orders 201 911 bytes 84 ms
10.20.30.43 - GET /api/articles?page=12&sort=price 200 20411 bytes 41 ms
10.20.30.44 - GET /static/app.4f9c11ad.js 304 0 bytes 1 ms
10.20.30.45 - POST /api/payments 502 117 bytes 30001 ms: request timed out at backend 10.9.0.17:8443
route table reloaded: 41 routes, 0 errors, generation 10442
backend 10.9.0.18:8443 leaves the pool after 3 failed checks
TLS handshake with 10.20.30.46 finished in 9 ms, session reused
";

const LOGIN: &str = "\
session opened for user alice by (uid=0) from 10.4.4.17 port 51022
session closed for user alice, 12044 s
authentication failure; logname= uid=0 tty=web ruser= rhost=host-201.example.com user=root
authentication failure; logname= uid=0 tty=web ruser= rhost=10.7.8.9 user=guest
check pass; user unknown, attempt 3 of 5 from 10.7.8.10
token 3b1f77aa90c2d4 issued for client mobile, valid 3600 s
token 3b1f77aa90c2d5 refused: signed by key 17, which was withdrawn
user directory answered in 18 ms, 4 groups
";

const SCHEDULER: &str = "\
job 6021-0441 started on node 12, attempt 1, memory limit 2048 MiB
job 6021-0442 finished in 41239 ms with code 0
job 6021-0443 failed with code 137: killed for memory at 2049 MiB
node 14 has not reported for 30 s, its 6 jobs move to other nodes
lease of partition 33 renewed until 1795430461, holder 9a0b1c2d3e4f
queue nightly has 119 waiting jobs, oldest 881 s
Timeout of 60 s reached while node 3 drained, 2 jobs left
";

const STORAGE: &str = "\
block blk_7128370237687728475 written to 3 replicas, 67108864 bytes in 812 ms
block blk_7128370237687728476 received from 10.251.73.220:50010
block blk_7128370237687728477 deleted, 0 references
checksum error in block blk_7128370237687728478 at offset 1048576, replica 2 repaired
compaction 10441 of volume 9 moved 4411 blocks, freed 18 GiB
slow write: fdatasync of /data/vol9/log.00017 took 1203 ms
volume 9 is 81 percent full, rebalance planned
";
