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
    }
}

diesel::joinable!(api_tokens -> users (user_id));
diesel::joinable!(crate_owners -> users (user_id));
diesel::joinable!(crate_owners -> crates (crate_id));
diesel::joinable!(versions -> crates (crate_id));
diesel::allow_tables_to_appear_in_same_query!(users, api_tokens, crates, crate_owners, versions);
