//! Files in, settings or mistakes out.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;

fn parse(text: &str) -> Result<ScrapeConfig, String> {
    ScrapeConfig::parse(&[("dir/prometheus.yml".to_owned(), text.to_owned())])
        .map_err(|problems| problems.iter().map(|problem| format!("{problem}\n")).collect())
}

fn refused(text: &str, expect: Expect) {
    expect.assert_eq(&parse(text).expect_err("a mistake"));
}

#[test]
fn a_whole_prometheus_file_loads() {
    let config = parse(include_str!("../testdata/prometheus.yml")).expect("good");
    let names: Vec<&str> = config.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["prometheus", "everything", "defaults", "secure"]);
    expect![[r#"
        dir/prometheus.yml: `alerting` is not about scraping and is not read here
        dir/prometheus.yml: `rule_files` is not about scraping and is not read here
        dir/prometheus.yml: `storage` is not about scraping and is not read here"#]]
    .assert_eq(&config.notes.join("\n"));
    expect![[r#"
        JobConfig {
            name: "everything",
            tenant: TenantId(
                "default",
            ),
            interval: 50s,
            timeout: 5s,
            metrics_path: "/my_path",
            scheme: "https",
            params: {
                "match[]": [
                    "a",
                    "b",
                ],
                "module": [
                    "http_2xx",
                ],
            },
            honor_labels: false,
            honor_timestamps: false,
            track_timestamps_staleness: true,
            compression: false,
            http: HttpConfig {
                auth: Basic(
                    Text(***),
                    Text(***),
                ),
                tls: TlsConfig {
                    ca: None,
                    identity: None,
                    server_name: None,
                    insecure: false,
                    min_version: None,
                    max_version: None,
                },
                stay: true,
                proxy: ProxyConfig {
                    url: Some(
                        Text(***),
                    ),
                    no_proxy: Some(
                        "10.0.0.0/8",
                    ),
                    from_environment: false,
                    connect_headers: [],
                },
                headers: [
                    (
                        "foo",
                        Text(***),
                    ),
                    (
                        "foo",
                        Text(***),
                    ),
                    (
                        "foo",
                        File("dir/valid_password_file"),
                    ),
                ],
            },
            limits: JobLimits {
                body_bytes: 10485760,
                samples: 1000,
                targets: 35,
                labels: 35,
                label_name_bytes: 210,
                label_value_bytes: 210,
                histogram_buckets: 160,
                histogram_factor: 1.1,
                dropped_targets: 5,
            },
            protocols: [
                PrometheusProto,
                PrometheusText004,
            ],
            fallback: Some(
                Text,
            ),
            native_histograms: true,
            classic_histograms: true,
            convert_histograms: true,
            legacy_names: false,
            escaping: Values,
            extra_metrics: false,
            failure_log: None,
            relabel: [
                Relabel {
                    action: Drop,
                    source_labels: [
                        "job",
                    ],
                    separator: ";",
                    regex: Pattern {
                        source: "(.*)some-[regex]",
                        regex: Regex(
                            "^(?s:(.*)some-[regex])$",
                        ),
                    },
                    modulus: 0,
                    target_label: "",
                    replacement: "$1",
                    legacy_names: false,
                },
                Relabel {
                    action: HashMod,
                    source_labels: [
                        "__address__",
                    ],
                    separator: ";",
                    regex: Pattern {
                        source: "(.*)",
                        regex: Regex(
                            "^(?s:(.*))$",
                        ),
                    },
                    modulus: 8,
                    target_label: "__tmp_hash",
                    replacement: "$1",
                    legacy_names: false,
                },
                Relabel {
                    action: Keep,
                    source_labels: [
                        "__tmp_hash",
                    ],
                    separator: ";",
                    regex: Pattern {
                        source: "1",
                        regex: Regex(
                            "^(?s:1)$",
                        ),
                    },
                    modulus: 0,
                    target_label: "",
                    replacement: "$1",
                    legacy_names: false,
                },
                Relabel {
                    action: LabelDrop,
                    source_labels: [],
                    separator: ";",
                    regex: Pattern {
                        source: "d",
                        regex: Regex(
                            "^(?s:d)$",
                        ),
                    },
                    modulus: 0,
                    target_label: "",
                    replacement: "$1",
                    legacy_names: false,
                },
            ],
            metric_relabel: [
                Relabel {
                    action: Drop,
                    source_labels: [
                        "__name__",
                    ],
                    separator: ";",
                    regex: Pattern {
                        source: "expensive_metric.*",
                        regex: Regex(
                            "^(?s:expensive_metric.*)$",
                        ),
                    },
                    modulus: 0,
                    target_label: "",
                    replacement: "$1",
                    legacy_names: false,
                },
            ],
            discovery: [
                Http(
                    HttpDiscoveryConfig {
                        url: "http://example.com/prometheus",
                        refresh: 60s,
                        http: HttpConfig {
                            auth: None,
                            tls: TlsConfig {
                                ca: None,
                                identity: None,
                                server_name: None,
                                insecure: false,
                                min_version: None,
                                max_version: None,
                            },
                            stay: false,
                            proxy: ProxyConfig {
                                url: None,
                                no_proxy: None,
                                from_environment: false,
                                connect_headers: [],
                            },
                            headers: [],
                        },
                    },
                ),
                Dns(
                    DnsConfig {
                        names: [
                            "first.dns.address.domain.com",
                            "second.dns.address.domain.com",
                        ],
                        record: Srv,
                        port: 0,
                        refresh: 15s,
                    },
                ),
                Dns(
                    DnsConfig {
                        names: [
                            "first.dns.address.domain.com",
                        ],
                        record: Mx,
                        port: 25,
                        refresh: 30s,
                    },
                ),
                Consul(
                    ConsulConfig {
                        base: "https://localhost:1234/consul",
                        token: Some(
                            "mysecret",
                        ),
                        datacenter: None,
                        namespace: None,
                        partition: None,
                        tag_separator: ",",
                        allow_stale: true,
                        refresh: 30s,
                        services: [
                            "nginx",
                            "cache",
                            "mysql",
                        ],
                        tags: [
                            "canary",
                            "v1",
                        ],
                        node_meta: {
                            "rack": "123",
                        },
                        filter: Some(
                            "NodeMeta.rack == \"123\"",
                        ),
                        health_filter: None,
                        http: HttpConfig {
                            auth: None,
                            tls: TlsConfig {
                                ca: Some(
                                    File("dir/valid_ca_file"),
                                ),
                                identity: Some(
                                    (
                                        File("dir/valid_cert_file"),
                                        File("dir/valid_key_file"),
                                    ),
                                ),
                                server_name: None,
                                insecure: false,
                                min_version: None,
                                max_version: None,
                            },
                            stay: false,
                            proxy: ProxyConfig {
                                url: None,
                                no_proxy: None,
                                from_environment: false,
                                connect_headers: [],
                            },
                            headers: [],
                        },
                    },
                ),
                Docker(
                    DockerConfig {
                        host: "unix:///var/run/docker.sock",
                        port: 8080,
                        filters: [
                            (
                                "network",
                                [
                                    "monitor",
                                ],
                            ),
                        ],
                        host_networking_host: "localhost",
                        match_first_network: false,
                        refresh: 60s,
                        http: HttpConfig {
                            auth: None,
                            tls: TlsConfig {
                                ca: None,
                                identity: None,
                                server_name: None,
                                insecure: false,
                                min_version: None,
                                max_version: None,
                            },
                            stay: false,
                            proxy: ProxyConfig {
                                url: None,
                                no_proxy: None,
                                from_environment: false,
                                connect_headers: [],
                            },
                            headers: [],
                        },
                    },
                ),
                Kubernetes(
                    KubernetesConfig {
                        api_server: Some(
                            "https://localhost:1234",
                        ),
                        kubeconfig: None,
                        role: Endpoints,
                        namespaces: Namespaces {
                            own: false,
                            names: [
                                "default",
                            ],
                        },
                        selectors: [
                            KubernetesSelector {
                                role: Pod,
                                label: "app=web",
                                field: "status.phase=Running",
                            },
                        ],
                        attach_node: true,
                        attach_namespace: false,
                        attach_deployment: false,
                        attach_job: false,
                        attach_cronjob: false,
                        http: HttpConfig {
                            auth: Basic(
                                Text(***),
                                Text(***),
                            ),
                            tls: TlsConfig {
                                ca: None,
                                identity: Some(
                                    (
                                        File("dir/valid_cert_file"),
                                        File("dir/valid_key_file"),
                                    ),
                                ),
                                server_name: None,
                                insecure: false,
                                min_version: None,
                                max_version: None,
                            },
                            stay: false,
                            proxy: ProxyConfig {
                                url: None,
                                no_proxy: None,
                                from_environment: false,
                                connect_headers: [],
                            },
                            headers: [],
                        },
                    },
                ),
            ],
        }"#]]
    .assert_eq(&format!("{:#?}", config.jobs[1]));
}

#[test]
fn what_is_not_said_is_as_in_prometheus() {
    let config = parse("scrape_configs:\n- job_name: a\n").expect("good");
    let job = &config.jobs[0];
    assert_eq!((job.interval, job.timeout), (Duration::from_secs(60), Duration::from_secs(10)));
    assert_eq!((job.metrics_path.as_str(), job.scheme.as_str()), ("/metrics", "http"));
    assert!(job.honor_timestamps && job.compression && !job.honor_labels && !job.native_histograms);
    assert_eq!(job.protocols.len(), 4);
    let short = parse("global: {scrape_interval: 5s}\nscrape_configs:\n- job_name: a\n").expect("good");
    assert_eq!(short.jobs[0].timeout, Duration::from_secs(5), "the timeout follows a short interval");
    let native = parse("scrape_configs:\n- {job_name: a, scrape_native_histograms: true}\n").expect("good");
    assert_eq!(native.jobs[0].protocols[0], ScrapeProtocol::PrometheusProto);
    let legacy = parse("scrape_configs:\n- {job_name: a, metric_name_validation_scheme: legacy}\n").expect("good");
    assert_eq!(legacy.jobs[0].escaping, Escaping::Underscores);
    assert_eq!(parse("# nothing\n").expect("good"), ScrapeConfig::default());
}

#[test]
fn a_job_belongs_to_the_tenant_of_its_own_or_of_the_file() {
    let text =
        "global: {backstop_tenant: shop}\nscrape_configs:\n- job_name: a\n- {job_name: b, backstop_tenant: b-team}\n";
    let config = parse(text).expect("good");
    let tenants: Vec<&str> = config.jobs.iter().map(|job| job.tenant.as_str()).collect();
    assert_eq!(tenants, ["shop", "b-team"]);
    assert!(config.jobs[1].to_yaml().contains("backstop_tenant: b-team"), "{}", config.jobs[1].to_yaml());
    refused(
        "global: {backstop_tenant: ''}\nscrape_configs:\n- job_name: a\n  backstop_tenant: a/b\n",
        expect![[r#"
            dir/prometheus.yml:1:27: "" is no tenant name
              hint: give 1 to 150 letters, digits or any of !-_.*'()
            dir/prometheus.yml:4:20: "a/b" is no tenant name
              hint: give 1 to 150 letters, digits or any of !-_.*'()
        "#]],
    );
}

#[test]
fn mistakes_have_places() {
    for (text, what) in [
        (
            "scrape_configs:\n- job_name: a\n  scrape_intervall: 5s\n",
            expect![[r#"
                dir/prometheus.yml:3:3: unknown field `scrape_intervall`, expected one of job_name, backstop_tenant, honor_labels, honor_timestamps, track_timestamps_staleness, params, scrape_interval, scrape_timeout, scrape_protocols, fallback_scrape_protocol, scrape_native_histograms, always_scrape_classic_histograms, convert_classic_histograms_to_nhcb, scrape_failure_log_file, metrics_path, scheme, enable_compression, body_size_limit, sample_limit, target_limit, label_limit, label_name_length_limit, label_value_length_limit, native_histogram_bucket_limit, native_histogram_min_bucket_factor, keep_dropped_targets, metric_name_validation_scheme, metric_name_escaping_scheme, extra_scrape_metrics, relabel_configs, metric_relabel_configs, static_configs, file_sd_configs, http_sd_configs, dns_sd_configs, consul_sd_configs, docker_sd_configs, kubernetes_sd_configs, basic_auth, authorization, oauth2, bearer_token, bearer_token_file, tls_config, follow_redirects, enable_http2, proxy_url, no_proxy, proxy_from_environment, proxy_connect_header, http_headers
                  hint: check the spelling and the indentation of the key
            "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  scrape_interval: 5\n",
            expect![[r#"
            dir/prometheus.yml:3:20: not a valid duration string: "5"
              hint: write 15s, 1m or 1h30m
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  scrape_interval: 5s\n  scrape_timeout: 6s\n",
            expect![[r#"
            dir/prometheus.yml:4:19: scrape timeout greater than scrape interval for scrape config with job name "a"
              hint: make it shorter, or the interval longer
        "#]],
        ),
        (
            "scrape_configs:\n- scrape_interval: 5s\n",
            expect![[r#"
            dir/prometheus.yml:2:3: job_name is empty
              hint: give the job a name; it becomes the label `job`
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n- job_name: a\n",
            expect![[r#"
                dir/prometheus.yml:3:13: found multiple scrape configs with job name "a"
                  hint: give every job a name of its own
            "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  ec2_sd_configs: [{region: eu}]\n",
            expect![[r#"
            dir/prometheus.yml:3:3: unknown field `ec2_sd_configs`, expected one of job_name, backstop_tenant, honor_labels, honor_timestamps, track_timestamps_staleness, params, scrape_interval, scrape_timeout, scrape_protocols, fallback_scrape_protocol, scrape_native_histograms, always_scrape_classic_histograms, convert_classic_histograms_to_nhcb, scrape_failure_log_file, metrics_path, scheme, enable_compression, body_size_limit, sample_limit, target_limit, label_limit, label_name_length_limit, label_value_length_limit, native_histogram_bucket_limit, native_histogram_min_bucket_factor, keep_dropped_targets, metric_name_validation_scheme, metric_name_escaping_scheme, extra_scrape_metrics, relabel_configs, metric_relabel_configs, static_configs, file_sd_configs, http_sd_configs, dns_sd_configs, consul_sd_configs, docker_sd_configs, kubernetes_sd_configs, basic_auth, authorization, oauth2, bearer_token, bearer_token_file, tls_config, follow_redirects, enable_http2, proxy_url, no_proxy, proxy_from_environment, proxy_connect_header, http_headers
              hint: targets come from static_configs and from file, http, dns, consul, docker and kubernetes _sd_configs; a small service of your own can answer http_sd_configs for everything else
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: ['http://a:1/metrics']\n",
            expect![[r#"
            dir/prometheus.yml:4:5: "http://a:1/metrics" is not a valid hostname
              hint: targets are host:port; the path is metrics_path, the scheme is scheme
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  basic_auth: {username: u, password: p, password_file: f}\n",
            expect![[r#"
            dir/prometheus.yml:3:15: there are both `password` and `password_file`
              hint: give one of them
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  basic_auth: {username: u}\n  bearer_token: x\n",
            expect![[r#"
            dir/prometheus.yml:3:15: at most one of basic_auth, authorization, oauth2, bearer_token and bearer_token_file can be given
              hint: remove the others
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  authorization: {type: Basic, credentials: x}\n",
            expect![[r#"
            dir/prometheus.yml:3:18: authorization type cannot be set to "basic"
              hint: use `basic_auth` instead
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  tls_config: {cert_file: c, min_version: TLS10}\n",
            expect![[r#"
            dir/prometheus.yml:3:15: a certificate needs a key and a key a certificate
              hint: give both
            dir/prometheus.yml:3:43: TLS10 is too old
              hint: TLS12 and TLS13 are spoken
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  scrape_protocols: [OpenMetricsText1.0.0, Unknown]\n",
            expect![[r#"
            dir/prometheus.yml:3:21: unknown scrape protocol Unknown
              hint: write PrometheusProto, PrometheusText0.0.4, PrometheusText1.0.0, OpenMetricsText0.0.1 or OpenMetricsText1.0.0
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  body_size_limit: ten\n",
            expect![[r#"
            dir/prometheus.yml:3:20: "ten" is not a size
              hint: write 10MB or 512KiB; 0 is no limit
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  scheme: ftp\n",
            expect![[r#"
            dir/prometheus.yml:3:11: unknown scheme "ftp"
              hint: write http or https
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  dns_sd_configs: [{names: [x], type: A}]\n",
            expect![[r#"
            dir/prometheus.yml:3:20: a port is required in DNS-SD configs for all record types except SRV
              hint: give `port`
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  file_sd_configs: [{files: ['a/*/b.yml', 'x.txt']}]\n",
            expect![[r#"
            dir/prometheus.yml:3:30: path name "a/*/b.yml" is not valid for file discovery
              hint: the last part ends in .json, .yml or .yaml and has at most one *
            dir/prometheus.yml:3:43: path name "x.txt" is not valid for file discovery
              hint: the last part ends in .json, .yml or .yaml and has at most one *
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  http_sd_configs: [{url: 'file:///x'}]\n",
            expect![[r#"
            dir/prometheus.yml:3:21: URL is missing or is not http or https: "file:///x"
              hint: write it as https://inventory.example.com/targets
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{role: pods}]\n",
            expect![[r#"
            dir/prometheus.yml:3:34: unknown Kubernetes SD role "pods"
              hint: pod, service, endpoints, endpointslice, node or ingress
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{role: service, selectors: [{role: pod}]}]\n",
            expect![[r#"
                dir/prometheus.yml:3:55: service role supports only service selectors
                  hint: remove it
            "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  docker_sd_configs: [{port: 80}]\n",
            expect![[r#"
            dir/prometheus.yml:3:23: docker SD configuration has no usable host: ""
              hint: write it as unix:///var/run/docker.sock or tcp://docker:2375
        "#]],
        ),
        (
            "scrape_configs:\n- job_name: a\n  metric_name_validation_scheme: legacy\n  metric_name_escaping_scheme: allow-utf-8\n",
            expect![[r#"
                dir/prometheus.yml:4:32: utf8 metric names requested but validation scheme is not set to UTF8
                  hint: set metric_name_validation_scheme: utf8
            "#]],
        ),
        (
            "scrape_configs: nothing\n",
            expect![[r#"
            dir/prometheus.yml:1:17: expected sequence start
        "#]],
        ),
    ] {
        refused(text, what);
    }
}

#[test]
fn more_files_are_found_from_the_directory() {
    let dir = tempfile::tempdir().expect("directory");
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("main.yml"), "global: {scrape_interval: 7s}\nscrape_config_files: ['jobs/*.yml']\n")
        .expect("written");
    std::fs::create_dir(path("jobs")).expect("directory");
    std::fs::write(path("jobs/a.yml"), "scrape_configs:\n- job_name: a\n  bearer_token_file: token\n")
        .expect("written");
    let config = ScrapeConfig::load(&[path("main.yml")]).expect("good");
    assert_eq!(config.jobs[0].interval, Duration::from_secs(7));
    assert_eq!(config.jobs[0].http.auth, Auth::Header("Bearer".into(), Secret::File(path("jobs/token"))));
    std::fs::write(path("jobs/b.yml"), "scrape_configs:\n- job_nam: a\n").expect("written");
    let problems = ScrapeConfig::load(&[path("main.yml"), path("none.yml")]).expect_err("mistakes");
    let shown: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    expect![[r#"
        DIR/none.yml:1:1: cannot read the file: No such file or directory (os error 2)
          hint: is the path right?
        DIR/jobs/b.yml:2:3: unknown field `job_nam`, expected one of job_name, backstop_tenant, honor_labels, honor_timestamps, track_timestamps_staleness, params, scrape_interval, scrape_timeout, scrape_protocols, fallback_scrape_protocol, scrape_native_histograms, always_scrape_classic_histograms, convert_classic_histograms_to_nhcb, scrape_failure_log_file, metrics_path, scheme, enable_compression, body_size_limit, sample_limit, target_limit, label_limit, label_name_length_limit, label_value_length_limit, native_histogram_bucket_limit, native_histogram_min_bucket_factor, keep_dropped_targets, metric_name_validation_scheme, metric_name_escaping_scheme, extra_scrape_metrics, relabel_configs, metric_relabel_configs, static_configs, file_sd_configs, http_sd_configs, dns_sd_configs, consul_sd_configs, docker_sd_configs, kubernetes_sd_configs, basic_auth, authorization, oauth2, bearer_token, bearer_token_file, tls_config, follow_redirects, enable_http2, proxy_url, no_proxy, proxy_from_environment, proxy_connect_header, http_headers
          hint: check the spelling and the indentation of the key
    "#]].assert_eq(&shown.replace(&dir.path().display().to_string(), "DIR"));
}

#[test]
fn what_yaml_can_do_is_understood() {
    let text = "scrape_configs:\n- job_name: a\n  relabel_configs: &rules\n  - {source_labels: [x], target_label: y, replacement: 1}\n\
                \x20 static_configs: [{targets: ['h:1'], labels: {number: 5, yes: true, float: 1.50}}]\n\
                - job_name: b\n  relabel_configs: *rules\n  params: {n: [1, 2]}\n";
    let config = parse(text).expect("good");
    assert_eq!(config.jobs[0].relabel, config.jobs[1].relabel);
    assert_eq!(config.jobs[1].params["n"], ["1", "2"]);
    let DiscoveryConfig::Static(groups) = &config.jobs[0].discovery[0] else { panic!("static") };
    assert_eq!(groups[0].labels.to_string(), r#"{float="1.50", number="5", yes="true"}"#);
}

#[test]
fn secrets_are_never_shown() {
    let text = "scrape_configs:\n- job_name: a\n  basic_auth: {username: name, password: geheim}\n  tls_config: {key: geheim, cert: geheim}\n\
                \x20 http_headers: {X-Key: {secrets: [geheim]}}\n- job_name: b\n  oauth2: {client_id: i, client_secret: geheim, token_url: 'http://x'}\n";
    let config = parse(text).expect("good");
    assert!(!format!("{config:?}").contains("geheim"), "{config:?}");
}

#[test]
fn passwords_of_urls_are_not_shown() {
    let text = "scrape_configs:\n- job_name: a\n  oauth2: {client_id: i, client_secret: s, token_url: 'http://me:geheim@t/x'}\n\
                \x20 http_sd_configs: [{url: 'https://me:geheim@h/t?x=1'}]\n\
                \x20 consul_sd_configs: [{server: 'me:geheim@c:8500'}, {server: 'me:ge/heim@c:8500'}]\n\
                \x20 docker_sd_configs: [{host: 'tcp://geheim@d:1'}, {host: 'unix:///run/docker.sock'}]\n";
    let yaml = parse(text).expect("good").jobs[0].to_yaml();
    assert!(!yaml.contains("geheim") && !yaml.contains("heim@"), "{yaml}");
    for wanted in
        ["http://<secret>@t/x", "https://<secret>@h/t?x=1", "http://<secret>@c:8500", "unix:///run/docker.sock"]
    {
        assert!(yaml.contains(wanted), "{wanted} is missing in {yaml}");
    }
}

#[test]
fn a_job_is_shown_and_read_again() {
    let config = parse(include_str!("../testdata/prometheus.yml")).expect("good");
    let yaml = config.jobs[0].to_yaml();
    let again = parse(&format!("scrape_configs:\n{}", in_list(&yaml))).expect("what is shown can be read");
    assert_eq!(again.jobs[0].relabel, config.jobs[0].relabel);
    assert_eq!(again.jobs[0].limits, config.jobs[0].limits);
    assert!(!config.jobs[1].to_yaml().contains("mysecret"));
}

/// YAML as the item of a list.
fn in_list(yaml: &str) -> String {
    yaml.lines().enumerate().map(|(at, line)| format!("{}{line}\n", if at == 0 { "- " } else { "  " })).collect()
}
