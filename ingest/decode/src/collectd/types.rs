//! What a type of collectd's measures: its sources, and which of them count. The text form of a value list says neither, so both sides need
//! the same list; collectd calls the file `types.db`.

use std::collections::HashMap;

/// What a source's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number that goes anywhere.
    Gauge,
    /// A number that goes up: collectd's DERIVE and COUNTER.
    Counter,
    /// What came since the reading before; stored as it is.
    Absolute,
}

impl Kind {
    /// Reads collectd's word, of any case.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let known = [("gauge", Self::Gauge), ("derive", Self::Counter), ("counter", Self::Counter)];
        let known = known.into_iter().chain([("absolute", Self::Absolute)]);
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, kind)| kind)
    }
}

/// A source of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) name: Box<str>,
    pub(super) kind: Kind,
}

/// Types by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types(HashMap<Box<str>, Vec<Source>>);

/// A line of a `types.db` that can not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}; a type is written `name source:GAUGE:0:U, source:DERIVE:0:U`")]
pub struct TypesError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl Default for Types {
    /// The types that collectd 5.12 knows.
    fn default() -> Self {
        let mut types = HashMap::new();
        let single = |kind| vec![Source { name: "value".into(), kind }];
        types.extend(GAUGES.split_whitespace().map(|name| (name.into(), single(Kind::Gauge))));
        types.extend(COUNTERS.split_whitespace().map(|name| (name.into(), single(Kind::Counter))));
        types.insert("absolute".into(), single(Kind::Absolute));
        for (name, sources) in OTHERS.split_whitespace().filter_map(|entry| entry.split_once('=')) {
            let source = |text: &str| match text.strip_suffix('+') {
                Some(name) => Source { name: name.into(), kind: Kind::Counter },
                None => Source { name: text.into(), kind: Kind::Gauge },
            };
            types.insert(name.into(), sources.split(',').map(source).collect());
        }
        Self(types)
    }
}

impl Types {
    /// Adds the types of a `types.db`; those of a name that is known take its place.
    pub fn extend(&mut self, text: &str) -> Result<(), TypesError> {
        for (line, entry) in (1..).zip(text.lines()) {
            let entry = entry.split('#').next().unwrap_or_default().trim();
            let Some((name, sources)) = entry.split_once(char::is_whitespace) else {
                if entry.is_empty() {
                    continue;
                }
                return Err(TypesError { line, what: format!("the type {entry:?} has no source") });
            };
            let words = sources.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
            let sources: Result<Vec<Source>, String> = words.map(source).collect();
            self.0.insert(name.into(), sources.map_err(|what| TypesError { line, what })?);
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&[Source]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// `name:KIND:min:max`; the bounds are collectd's own affair.
fn source(word: &str) -> Result<Source, String> {
    let mut parts = word.split(':');
    let (name, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let kind = Kind::parse(kind).filter(|_| !name.is_empty()).ok_or_else(|| format!("{word:?} is no source"))?;
    Ok(Source { name: name.into(), kind })
}

/// Types of one gauge, whose source is `value`.
const GAUGES: &str = "apache_connections apache_idle_workers apache_scoreboard ath_nodes backends bad_peb_count bitrate blocked_clients \
    bool bucket buffer bytes cache_ratio cache_size capacity ceph_bytes ceph_latency changes_since_last_save charge \
    clock_last_meas clock_last_update clock_mode clock_reachability clock_skew_ppm clock_state clock_stratum \
    compression_ratio conntrack controller count cpu_affinity cpufreq current current_connections current_sessions \
    delay delay_rate df_complex df_inodes dilution_of_precision disk_allocation disk_capacity disk_error \
    disk_physical dns_qtype_cached email_check email_count email_size energy energy_wh entropy fanspeed file_handles \
    file_size files flow freepages frequency frequency_error frequency_offset gauge health humidity ib_cap_mask \
    ib_lid ib_lid_mask_count ib_phys_state ib_rate ib_sm_lid ib_sm_sl ib_state ipc latency links max_ec media \
    md_disks memcached_connections memcached_items memory memory_lua multimeter mysql_bpool_bytes mysql_bpool_pages \
    nginx_connections node_rssi node_tx_rate objects operations_per_second pending_operations percent percent_bytes \
    percent_inodes pf_states pg_db_size pg_n_tup_g pg_numbackends ping ping_droprate ping_stddev players pools power \
    pressure ps_code ps_data ps_rss ps_stacksize ps_state ps_vm pstates_enabled pubsub queue_length records requests \
    response_code response_time root_delay root_dispersion route_etx route_metric routes satellites segments \
    signal_noise signal_power signal_quality slurm_job_state slurm_node_state slurm_cycle_last slurm_last_cycle_depth \
    smart_badsectors smart_powercycles smart_poweron smart_temperature nvme_critical_warning nvme_temperature \
    nvme_avail_spare nvme_avail_spare_thresh nvme_percent_used nvme_endu_grp_crit_warn_sumry nvme_data_units_read \
    nvme_data_units_written nvme_host_commands_read nvme_host_commands_written nvme_ctrl_busy_time nvme_power_cycles \
    nvme_power_on_hours nvme_unsafe_shutdowns nvme_media_errors nvme_num_err_log_entries nvme_warning_temp_time \
    nvme_critical_comp_time nvme_temp_sensor nvme_thermal_mgmt_temp1_transition_count \
    nvme_thermal_mgmt_temp1_total_time nvme_thermal_mgmt_temp2_transition_count nvme_thermal_mgmt_temp2_total_time \
    nvme_program_fail_count nvme_erase_fail_count nvme_wear_leveling nvme_end_to_end_error_detection_count \
    nvme_crc_error_count nvme_timed_workload_timer nvme_timed_workload_media_wear nvme_timed_workload_host_reads \
    nvme_thermal_throttle_status nvme_retry_buffer_overflow_count nvme_pll_lock_loss_count nvme_nand_bytes_written \
    nvme_host_bytes_written snr spam_check spam_score spl swap sysevent tcp_connections tdp temperature threads \
    time_dispersion time_offset time_offset_ntp time_offset_rms time_ref timeleft timestamp turbo_enabled uptime \
    uncore_ratio users vcl vcpu vmpage_number volatile_changes voltage vs_memory vs_processes vs_threads arc_l2_size \
    arc_ratio";

/// Types of one counter, whose source is `value`.
const COUNTERS: &str = "apache_bytes apache_requests ath_stat cache_eviction cache_operation cache_result ceph_rate commands connections \
    contextswitch cookies counter cpu derive disk_ops_complex dns_answer dns_notify dns_opcode dns_qtype dns_query \
    dns_question dns_rcode dns_reject dns_request dns_resolver dns_response dns_transfer dns_update dns_zops \
    dpdk_telemetry drbd_resource errors evicted_keys expired_keys filter_result fork_rate fscache_stat \
    hash_collisions http_request_methods http_requests http_response_codes ib_errors ib_link_error_recovery \
    ib_xmit_wait if_collisions if_multicast if_rx_dropped if_rx_errors if_rx_nohandler if_rx_octets if_rx_packets \
    if_tx_dropped if_tx_errors if_tx_octets if_tx_packets invocations ipt_bytes ipt_packets irq job_stats \
    memory_bandwidth memcached_command memcached_ops memory_throttle_count mutex_operations mysql_bpool_counters \
    mysql_commands mysql_handler mysql_innodb_data mysql_innodb_dblwr mysql_innodb_log mysql_innodb_pages \
    mysql_innodb_row_lock mysql_innodb_rows mysql_locks mysql_log_position mysql_select mysql_sort \
    mysql_sort_merge_passes mysql_sort_rows mysql_slow_queries nfs_procedure nginx_requests node_stat operations \
    packets perf pf_counters pf_limits pf_source pf_state pg_blks pg_n_tup_c pg_scan pg_xact protocol_counter \
    redis_command_cputime slurm_backfilled_jobs slurm_cycles slurm_cycle_duration slurm_cycle_depth slurm_job_stats \
    slurm_queue_length swap_io total_bytes total_connections total_events total_objects total_operations \
    total_requests total_sessions total_threads total_time_in_ms total_values transitions virt_cpu_total virt_vcpu \
    vmpage_action";

/// Types of other sources, or of several: a plus stands behind the counters.
const OTHERS: &str = "compression=uncompressed+,compressed+ df=used,free disk_io_time=io_time+,weighted_io_time+ \
    disk_latency=read,write disk_merged=read+,write+ disk_octets=read+,write+ disk_ops=read+,write+ \
    disk_time=read+,write+ dns_octets=queries+,responses+ domain_state=state,reason duration=seconds \
    ib_octets=rx+,tx+ ib_packets=rx+,tx+ if_dropped=rx+,tx+ if_errors=rx+,tx+ if_octets=rx+,tx+ if_packets=rx+,tx+ \
    io_octets=rx+,tx+ io_ops=read+,write+ io_packets=rx+,tx+ load=shortterm,midterm,longterm memcached_octets=rx+,tx+ \
    mysql_octets=rx+,tx+ node_octets=rx+,tx+ ps_count=processes,threads ps_cputime=user+,syst+ \
    ps_disk_octets=read+,write+ ps_disk_ops=read+,write+ ps_pagefaults=minflt+,majflt+ serial_octets=rx+,tx+ \
    smart_attribute=current,worst,threshold,pretty vf_broadcast=vf_value+ vf_bytes=vf_rx+,vf_tx+ \
    vf_dropped=vf_rx+,vf_tx+ vf_link_info=vf_value vf_multicast=vf_value+ vf_packets=vf_rx+,vf_tx+ \
    vmpage_faults=minflt+,majflt+ vmpage_io=in+,out+ voltage_threshold=value,threshold \
    arc_counts=demand_data+,demand_metadata+,prefetch_data+,prefetch_metadata+ arc_l2_bytes=read+,write+ \
    arc_size=current,target,minlimit,maxlimit mysql_qcache=hits+,inserts+,not_cached+,lowmem_prunes+,queries_in_cache \
    mysql_threads=running,connected,cached,created+";
