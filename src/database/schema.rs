//! The registry's tables for Diesel, without those of the queue.

diesel::table! {
    users (id) {
        id -> Integer,
        login -> Text,
        name -> Nullable<Text>,
        created_at -> Timestamptz,
        is_admin -> Bool,
        disabled_at -> Nullable<Timestamptz>,
        removed_at -> Nullable<Timestamptz>,
        is_machine -> Bool,
        machine_issuer -> Nullable<Text>,
        role -> Text,
    }
}

diesel::table! {
    api_tokens (id) {
        id -> Integer,
        user_id -> Integer,
        name -> Text,
        token_sha256 -> Binary,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        scopes -> Nullable<Array<Text>>,
        crate_patterns -> Nullable<Array<Text>>,
        expires_at -> Nullable<Timestamptz>,
        created_by_token -> Nullable<Integer>,
        trusted -> Nullable<Jsonb>,
        sign_in -> Nullable<Text>,
        renewal_sha256 -> Nullable<Binary>,
        renewable_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    web_sessions (secret_sha256) {
        secret_sha256 -> Binary,
        token_id -> Integer,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        id -> Integer,
        proven_at -> Timestamptz,
        flow_sha256 -> Nullable<Binary>,
        flow_at -> Nullable<Timestamptz>,
        address -> Nullable<Text>,
        browser -> Nullable<Text>,
    }
}

diesel::table! {
    identities (id) {
        id -> Integer,
        user_id -> Integer,
        issuer -> Text,
        subject -> Text,
        label -> Text,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
    }
}

diesel::table! {
    passwords (user_id) {
        user_id -> Integer,
        hash -> Text,
        changed_at -> Timestamptz,
    }
}

diesel::table! {
    device_requests (device_code_sha256) {
        device_code_sha256 -> Binary,
        user_code -> Text,
        name -> Text,
        address -> Nullable<Text>,
        scopes -> Nullable<Array<Text>>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        last_asked_at -> Nullable<Timestamptz>,
        user_id -> Nullable<Integer>,
        token_id -> Nullable<Integer>,
        is_allowed -> Bool,
    }
}

diesel::table! {
    one_time_links (secret_sha256) {
        secret_sha256 -> Binary,
        user_id -> Integer,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    teams (id) {
        id -> Integer,
        name -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    team_members (team_id, user_id) {
        team_id -> Integer,
        user_id -> Integer,
        created_at -> Timestamptz,
        issuer -> Nullable<Text>,
    }
}

diesel::table! {
    crates (id) {
        id -> Integer,
        name -> Text,
        canonical_name -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        max_version -> Nullable<Text>,
        version_count -> Integer,
        default_version_id -> Nullable<Integer>,
        max_stable_version -> Nullable<Text>,
        newest_version -> Nullable<Text>,
        description -> Nullable<Text>,
        homepage -> Nullable<Text>,
        documentation -> Nullable<Text>,
        repository -> Nullable<Text>,
        keywords -> Array<Text>,
        categories -> Array<Text>,
        yanked -> Bool,
        deleted_at -> Nullable<Timestamptz>,
        deletion_reason -> Nullable<Text>,
        name_released -> Bool,
        index_blob -> Nullable<Text>,
        index_bytes -> Nullable<BigInt>,
        index_last_id -> Nullable<Integer>,
        trustpub_only -> Bool,
    }
}

diesel::table! {
    crate_owners (crate_id, user_id) {
        crate_id -> Integer,
        user_id -> Integer,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    owner_invitations (crate_id, user_id) {
        crate_id -> Integer,
        user_id -> Integer,
        invited_by -> Integer,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    crate_team_owners (crate_id, team_id) {
        crate_id -> Integer,
        team_id -> Integer,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    crate_limits (canonical_name) {
        canonical_name -> Text,
        max_crate_size -> Nullable<BigInt>,
        max_unpacked_size -> Nullable<BigInt>,
        max_features -> Nullable<Integer>,
        max_dependencies -> Nullable<Integer>,
    }
}

diesel::table! {
    reserved_names (canonical_name) {
        canonical_name -> Text,
        reason -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    audit_log (id) {
        id -> BigInt,
        at -> Timestamptz,
        action -> Text,
        actor -> Text,
        user_id -> Nullable<Integer>,
        token_id -> Nullable<Integer>,
        token_name -> Nullable<Text>,
        address -> Nullable<Text>,
        crate_name -> Nullable<Text>,
        version -> Nullable<Text>,
        subject -> Nullable<Text>,
        detail -> Jsonb,
    }
}

diesel::table! {
    versions (id) {
        id -> Integer,
        crate_id -> Integer,
        num -> Text,
        num_without_build -> Text,
        checksum -> Binary,
        size -> BigInt,
        index_line -> Text,
        desired_yanked -> Bool,
        state -> Text,
        effective_yanked -> Nullable<Bool>,
        commit_id -> Nullable<Text>,
        published_at -> Nullable<Timestamptz>,
        metadata -> Jsonb,
        created_by -> Nullable<Integer>,
        created_at -> Timestamptz,
        deletion_requested_at -> Nullable<Timestamptz>,
        deletion_reason -> Nullable<Text>,
        manifest -> Jsonb,
        yank_message -> Nullable<Text>,
        linecounts -> Nullable<Jsonb>,
        crates_io_here -> Bool,
        release_set_id -> Nullable<Integer>,
        provenance -> Nullable<Jsonb>,
    }
}

diesel::table! {
    release_sets (id) {
        id -> Integer,
        name -> Text,
        title -> Nullable<Text>,
        is_preview -> Bool,
        state -> Text,
        is_of_publish -> Bool,
        revision -> BigInt,
        created_by -> Nullable<Integer>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        ended_by -> Nullable<Text>,
        reason -> Nullable<Text>,
        contents -> Nullable<Jsonb>,
    }
}

diesel::table! {
    staged_versions (id) {
        id -> Integer,
        set_id -> Integer,
        name -> Text,
        canonical_name -> Text,
        num -> Text,
        num_without_build -> Text,
        is_new_crate -> Bool,
        checksum -> Binary,
        size -> BigInt,
        index_line -> Text,
        metadata -> Jsonb,
        staged_by -> Integer,
        token_name -> Nullable<Text>,
        address -> Nullable<Text>,
        staged_at -> Timestamptz,
        trusted -> Nullable<Jsonb>,
        owner_if_new -> Nullable<Integer>,
    }
}

diesel::table! {
    staging_rules (id) {
        id -> Integer,
        subject -> Text,
        canonical -> Nullable<Text>,
        is_prefix -> Bool,
        owned_by -> Nullable<Integer>,
        approvals -> Integer,
        by_another -> Bool,
        approved_by -> Nullable<Integer>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    set_approvals (set_id, user_id) {
        set_id -> Integer,
        user_id -> Integer,
        token_id -> Integer,
        as_admin -> Bool,
        revision -> BigInt,
        at -> Timestamptz,
    }
}

diesel::table! {
    staged_changes (set_id, version_id) {
        set_id -> Integer,
        version_id -> Integer,
        change -> Text,
        message -> Nullable<Text>,
        staged_by -> Integer,
        staged_at -> Timestamptz,
    }
}

diesel::table! {
    pending_analyses (version_id) {
        version_id -> Integer,
    }
}

diesel::table! {
    pending_descriptions (crate_id) {
        crate_id -> Integer,
        generation -> BigInt,
        is_counted -> Bool,
    }
}

diesel::table! {
    dependencies (id) {
        id -> Integer,
        version_id -> Integer,
        place -> Integer,
        name -> Text,
        canonical_name -> Text,
        rename -> Nullable<Text>,
        req -> Text,
        kind -> Text,
        optional -> Bool,
        default_features -> Bool,
        features -> Array<Text>,
        target -> Nullable<Text>,
        registry -> Nullable<Text>,
    }
}

diesel::table! {
    version_downloads_by_day (version_id, day) {
        version_id -> Integer,
        day -> Date,
        downloads -> BigInt,
    }
}

diesel::table! {
    version_downloads (version_id) {
        version_id -> Integer,
        downloads -> BigInt,
    }
}

diesel::table! {
    crate_downloads (crate_id) {
        crate_id -> Integer,
        downloads -> BigInt,
        recent -> BigInt,
        shown -> Bool,
    }
}

diesel::table! {
    registry_counts (kind, name) {
        kind -> Text,
        name -> Text,
        count -> BigInt,
        since -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    crate_dependents (crate_id, canonical_name) {
        crate_id -> Integer,
        canonical_name -> Text,
    }
}

diesel::table! {
    verify_reports (id) {
        id -> BigInt,
        started_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
        mode -> Text,
        requested_by -> Text,
        crates -> BigInt,
        files -> BigInt,
        differences -> BigInt,
        summary -> Jsonb,
        error -> Nullable<Text>,
        position -> Nullable<Jsonb>,
    }
}

diesel::table! {
    trusted_issuers (id) {
        id -> Integer,
        provider -> Text,
        url -> Text,
        identity_claim -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    trusted_publishers (id) {
        id -> Integer,
        issuer_id -> Integer,
        crate_id -> Nullable<Integer>,
        pattern -> Nullable<Text>,
        canonical -> Nullable<Text>,
        is_prefix -> Nullable<Bool>,
        repository -> Nullable<Text>,
        rule -> Jsonb,
        stages_only -> Bool,
        creates -> Bool,
        allowed_by -> Nullable<Integer>,
        created_by -> Nullable<Integer>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    used_id_tokens (sha256) {
        sha256 -> Binary,
        forget_at -> Timestamptz,
    }
}

diesel::table! {
    email_recipients (user_id) {
        user_id -> Integer,
        address -> Text,
        confirmed_at -> Nullable<Timestamptz>,
        confirmation_sha256 -> Nullable<Binary>,
        confirmation_until -> Nullable<Timestamptz>,
        unsubscribe_key -> Text,
        unwanted -> Array<Text>,
        problem -> Nullable<Text>,
        changed_at -> Timestamptz,
    }
}

diesel::table! {
    advisory_sources (upstream) {
        upstream -> Text,
        source -> Text,
        known_source -> Nullable<Text>,
        revision -> Nullable<Text>,
        generation -> BigInt,
        created_at -> Timestamptz,
        checked_at -> Nullable<Timestamptz>,
        refreshed_at -> Nullable<Timestamptz>,
        problem -> Nullable<Text>,
        skipped -> Integer,
        skipped_files -> Jsonb,
    }
}

diesel::table! {
    advisories (id) {
        id -> BigInt,
        upstream -> Text,
        advisory_id -> Text,
        canonical_name -> Text,
        crate_name -> Text,
        title -> Text,
        url -> Nullable<Text>,
        severity -> Text,
        informational -> Nullable<Text>,
        ranges -> Jsonb,
        document -> Jsonb,
        digest -> Text,
        withdrawn_at -> Nullable<Timestamptz>,
        vanished_at -> Nullable<Timestamptz>,
        first_seen -> Timestamptz,
        last_seen -> Timestamptz,
    }
}

diesel::table! {
    advisory_revisions (number) {
        number -> BigInt,
        advisory_id -> Text,
        content -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    index_exports (destination) {
        destination -> Text,
        commit_id -> Nullable<Text>,
        exported_at -> Nullable<Timestamptz>,
        fence -> BigInt,
        settled_commit -> Nullable<Text>,
        settling_commit -> Nullable<Text>,
        settling_since -> Nullable<Timestamptz>,
        checked_at -> Nullable<Timestamptz>,
        invalidates_all -> Bool,
    }
}

diesel::table! {
    version_docs (version_id) {
        version_id -> Integer,
        checksum -> Binary,
        size -> BigInt,
        files -> Integer,
        unpacked_size -> BigInt,
        directory -> Text,
        entries -> Binary,
        uploaded_at -> Timestamptz,
    }
}

diesel::table! {
    docs_key (is_the_only_one) {
        is_the_only_one -> Bool,
        key -> Binary,
    }
}

diesel::table! {
    upstream_policies (upstream) {
        upstream -> Text,
        policy -> Text,
        noted_at -> Timestamptz,
    }
}

diesel::table! {
    upstream_pins (id) {
        id -> Integer,
        upstream -> Text,
        canonical_name -> Text,
        crate_name -> Text,
        version -> Text,
        checksum -> Binary,
        reason -> Text,
        actor -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    upstream_rules (id) {
        id -> Integer,
        upstream -> Text,
        canonical_name -> Text,
        crate_name -> Text,
        version -> Text,
        decision -> Text,
        reason -> Text,
        actor -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    download_log (at, canonical_name, version) {
        at -> Timestamptz,
        upstream -> Text,
        canonical_name -> Text,
        crate_name -> Text,
        version -> Text,
        checksum -> Binary,
        login -> Nullable<Text>,
        token_id -> Nullable<Integer>,
        token_name -> Nullable<Text>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        is_delivered -> Bool,
    }
}

diesel::table! {
    download_log_settings (id) {
        id -> Integer,
        at -> Timestamptz,
        scope -> Text,
        retention_seconds -> BigInt,
        lost -> BigInt,
        lost_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    upstream_index_files (upstream, path) {
        upstream -> Text,
        path -> Text,
        revision -> BigInt,
        known -> Text,
        content -> Binary,
    }
}

diesel::table! {
    upstream_requests (upstream, subject) {
        upstream -> Text,
        subject -> Text,
        holder -> Nullable<BigInt>,
        leased_until -> Nullable<Timestamptz>,
        checked_at -> Nullable<Timestamptz>,
        is_absent -> Bool,
        absent_since -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    email_notices (id) {
        id -> BigInt,
        user_id -> Integer,
        #[sql_name = "type"]
        kind -> Text,
        data -> Jsonb,
        happened_at -> Timestamptz,
    }
}

diesel::table! {
    webhooks (id) {
        id -> Integer,
        url -> Text,
        description -> Nullable<Text>,
        crate_id -> Nullable<Integer>,
        team_id -> Nullable<Integer>,
        events -> Array<Text>,
        secret -> Binary,
        previous_secret -> Nullable<Binary>,
        previous_until -> Nullable<Timestamptz>,
        created_by -> Nullable<Integer>,
        created_at -> Timestamptz,
        paused_at -> Nullable<Timestamptz>,
        paused_by -> Nullable<Text>,
        pause_reason -> Nullable<Text>,
        crate_is_deleted -> Bool,
    }
}

diesel::table! {
    webhook_outbox (id) {
        id -> BigInt,
        source -> Text,
        entry -> Jsonb,
        at -> Timestamptz,
    }
}

diesel::table! {
    webhook_events (id) {
        id -> BigInt,
        public_id -> Text,
        #[sql_name = "type"]
        kind -> Text,
        body -> Text,
        happened_at -> Timestamptz,
    }
}

diesel::table! {
    webhook_deliveries (id) {
        id -> BigInt,
        webhook_id -> Integer,
        event_id -> BigInt,
        delivered_at -> Nullable<Timestamptz>,
        status -> Nullable<SmallInt>,
        took_ms -> Nullable<Integer>,
    }
}

diesel::joinable!(email_recipients -> users (user_id));
diesel::joinable!(email_notices -> email_recipients (user_id));
diesel::joinable!(webhooks -> crates (crate_id));
diesel::joinable!(webhooks -> teams (team_id));
diesel::joinable!(webhooks -> users (created_by));
diesel::joinable!(webhook_deliveries -> webhooks (webhook_id));
diesel::joinable!(webhook_deliveries -> webhook_events (event_id));
diesel::joinable!(trusted_publishers -> trusted_issuers (issuer_id));
diesel::joinable!(trusted_publishers -> crates (crate_id));
diesel::joinable!(trusted_publishers -> users (created_by));
diesel::joinable!(api_tokens -> users (user_id));
diesel::joinable!(web_sessions -> api_tokens (token_id));
diesel::joinable!(identities -> users (user_id));
diesel::joinable!(passwords -> users (user_id));
diesel::joinable!(one_time_links -> users (user_id));
diesel::joinable!(team_members -> teams (team_id));
diesel::joinable!(team_members -> users (user_id));
diesel::joinable!(crate_owners -> users (user_id));
diesel::joinable!(crate_owners -> crates (crate_id));
diesel::joinable!(owner_invitations -> crates (crate_id));
diesel::joinable!(crate_team_owners -> teams (team_id));
diesel::joinable!(crate_team_owners -> crates (crate_id));
diesel::joinable!(versions -> crates (crate_id));
diesel::joinable!(versions -> users (created_by));
diesel::joinable!(dependencies -> versions (version_id));
diesel::joinable!(pending_analyses -> versions (version_id));
diesel::joinable!(version_docs -> versions (version_id));
diesel::joinable!(version_downloads -> versions (version_id));
diesel::joinable!(version_downloads_by_day -> versions (version_id));
diesel::joinable!(crate_downloads -> crates (crate_id));
diesel::joinable!(staged_versions -> release_sets (set_id));
diesel::joinable!(set_approvals -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(staging_rules, teams);
diesel::joinable!(staged_versions -> users (staged_by));
diesel::joinable!(staged_changes -> versions (version_id));
diesel::allow_tables_to_appear_in_same_query!(
    trusted_issuers,
    trusted_publishers,
    users,
    audit_log,
    api_tokens,
    web_sessions,
    identities,
    passwords,
    one_time_links,
    device_requests,
    teams,
    team_members,
    crates,
    crate_owners,
    owner_invitations,
    crate_team_owners,
    versions,
    version_docs,
    pending_analyses,
    pending_descriptions,
    dependencies,
    version_downloads_by_day,
    version_downloads,
    crate_downloads,
    crate_limits,
    release_sets,
    staged_versions,
    staged_changes,
    set_approvals,
    email_notices,
    email_recipients,
    webhooks,
    webhook_outbox,
    webhook_events,
    webhook_deliveries,
);
