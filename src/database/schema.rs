//! The registry's tables as Diesel sees them. The queue's own are not among them.

diesel::table! {
    users (id) {
        id -> Integer,
        login -> Text,
        name -> Nullable<Text>,
        created_at -> Timestamptz,
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
    versions (id) {
        id -> Integer,
        crate_id -> Integer,
        num -> Text,
        num_without_build -> Text,
        checksum -> Binary,
        size -> BigInt,
        index_line -> Text,
        wanted_yanked -> Bool,
        state -> Text,
        effective_yanked -> Nullable<Bool>,
        commit_id -> Nullable<Text>,
        published_at -> Nullable<Timestamptz>,
        metadata -> Jsonb,
        created_by -> Nullable<Integer>,
        created_at -> Timestamptz,
        manifest -> Jsonb,
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

diesel::joinable!(api_tokens -> users (user_id));
diesel::joinable!(crate_owners -> users (user_id));
diesel::joinable!(crate_owners -> crates (crate_id));
diesel::joinable!(versions -> crates (crate_id));
diesel::joinable!(versions -> users (created_by));
diesel::joinable!(dependencies -> versions (version_id));
diesel::joinable!(version_downloads -> versions (version_id));
diesel::joinable!(version_downloads_by_day -> versions (version_id));
diesel::joinable!(crate_downloads -> crates (crate_id));
diesel::allow_tables_to_appear_in_same_query!(
    users,
    api_tokens,
    crates,
    crate_owners,
    versions,
    dependencies,
    version_downloads_by_day,
    version_downloads,
    crate_downloads,
);
