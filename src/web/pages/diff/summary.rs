//! What a reviewer asks first.

use maud::{Markup, html};

use super::files::count;
use super::request::Request;
use crate::package::DependencyKind;
use crate::package::registry_urls::is_crates_io;
use crate::source::comparison::{
    ChangedDependency, ChangedFeature, FieldChange, ManifestChanges, Script, Stated, Summary,
};
use crate::web::pages::parts::text::{counted, name, size, text};

/// Entries of one list.
const SHOWN: usize = 200;

pub fn section(request: &Request) -> Markup {
    let summary = &request.comparison.summary;
    let is_new = !request.place.has_before;
    html! {
        section class="review" aria-labelledby="review" {
            h2 id="review" { "For the review" }
            @match &summary.manifest {
                Ok(changes) => { (manifest(changes, is_new)) }
                Err(reason) => { p class="notice warn" { "The manifests were not compared: " (text(reason)) } }
            }
            (code(summary, is_new))
        }
    }
}

fn manifest(changes: &ManifestChanges, is_new: bool) -> Markup {
    let none = if is_new { "none" } else { "unchanged" };
    let is_same = changes.added.is_empty() && changes.removed.is_empty() && changes.changed.is_empty();
    html! {
        dl class="review-facts" {
            dt { "Dependencies" }
            dd {
                @if is_same { (none) }
                ul class="plain" {
                    @for one in changes.added.iter().take(SHOWN) { li { span class="tag good" { "added" } " " (stated(one)) } }
                    @for one in changes.removed.iter().take(SHOWN) { li { span class="tag bad" { "removed" } " " (stated(one)) } }
                    @for one in changes.changed.iter().take(SHOWN) { li { span class="tag" { "changed" } " " (changed(one)) } }
                }
            }
            dt { "Features" }
            dd {
                @if changes.features.is_empty() { (none) }
                ul class="plain" { @for one in changes.features.iter().take(SHOWN) { li { (feature(one)) } } }
            }
            @for field in &changes.fields { dt { (field.field) } dd { (value(field)) } }
        }
    }
}

fn stated(one: &Stated) -> Markup {
    html! {
        code { (name(&one.key)) }
        @if let Some(package) = &one.package { " (" (name(package)) ")" }
        " " (text(&one.requirement))
        @match one.kind {
            DependencyKind::Normal => {}
            DependencyKind::Build => { ", to build" }
            DependencyKind::Dev => { ", to develop" }
        }
        @if let Some(target) = &one.target { ", for " code { (text(target)) } }
        @if one.optional { ", optional" }
        @if let Some(registry) = &one.registry { ", from " @if is_crates_io(registry) { "crates.io" } @else { (text(registry)) } }
    }
}

fn changed(one: &ChangedDependency) -> Markup {
    html! {
        (stated(&one.dependency)) ": "
        @for (place, change) in one.changes.iter().enumerate() {
            @if place > 0 { "; " }
            (change.field) " " (value(change))
        }
    }
}

fn value(change: &FieldChange) -> Markup {
    let side = |value: &Option<String>| {
        html! {
            @match value { Some(value) => { code { (text(value)) } } None => { "none" } }
        }
    };
    html! { (side(&change.before)) " → " (side(&change.after)) }
}

fn feature(one: &ChangedFeature) -> Markup {
    let missing = |from: &Option<Vec<String>>, than: &Option<Vec<String>>| -> Vec<String> {
        let than = than.as_deref().unwrap_or_default();
        from.iter().flatten().filter(|value| !than.contains(value)).cloned().collect()
    };
    let list = |values: Vec<String>| {
        html! {
            @for (place, value) in values.iter().take(SHOWN).enumerate() { @if place > 0 { ", " } code { (name(value)) } }
        }
    };
    let (enables, no_longer) = (missing(&one.after, &one.before), missing(&one.before, &one.after));
    html! {
        @match (&one.before, &one.after) {
            (None, _) => { span class="tag good" { "added" } }
            (_, None) => { span class="tag bad" { "removed" } }
            _ => { span class="tag" { "changed" } }
        }
        " " code { (name(&one.name)) }
        @if !enables.is_empty() { ", enables " (list(enables)) }
        @if one.after.is_some() && !no_longer.is_empty() { ", no longer enables " (list(no_longer)) }
    }
}

/// What the files say.
fn code(summary: &Summary, is_new: bool) -> Markup {
    html! {
        dl class="review-facts" {
            dt { "Build script" } dd { (script(&summary.build_script)) }
            dt { "Procedural macro" }
            dd {
                @match summary.proc_macro {
                    (false, true) => { strong { "new: it runs when dependents are compiled" } }
                    (true, false) => { "no longer" }
                    (true, true) => { "yes, as before" }
                    (false, false) => { "no" }
                }
            }
            dt { "unsafe" } dd { (unsafe_counts(summary, is_new)) }
            dt { "New binary files" }
            dd {
                @if summary.new_binaries.is_empty() { "none" }
                ul class="plain" {
                    @for file in summary.new_binaries.iter().take(SHOWN) {
                        li { code { (name(&file.path)) } ", " (size(count(file.size))) }
                    }
                }
                @if summary.new_binaries.len() > SHOWN { "and " (summary.new_binaries.len() - SHOWN) " more" }
            }
            @if !summary.new_executables.is_empty() {
                dt { "New executable files" }
                dd { ul class="plain" { @for path in summary.new_executables.iter().take(SHOWN) { li { code { (name(path)) } } } } }
            }
        }
    }
}

fn script(script: &Script) -> Markup {
    html! {
        @match (&script.before, &script.after) {
            (None, None) => { "none" }
            (None, Some(path)) => { strong { "new: " code { (name(path)) } } }
            (Some(path), None) => { "removed: " code { (name(path)) } }
            (Some(_), Some(path)) => { code { (name(path)) } @if script.is_changed { ", " strong { "changed" } } @else { ", unchanged" } }
        }
    }
}

fn unsafe_counts(summary: &Summary, is_new: bool) -> Markup {
    let counts = &summary.unsafe_counts;
    let (before, after) = counts.iter().fold((0, 0), |(before, after), one| (before + one.before, after + one.after));
    html! {
        @if counts.is_empty() { @if is_new { "none" } @else { "as often as before in every file" } } @else {
            (before) " → " (after) " in "
            (counted(count(counts.len()), "file")) " (the keyword in code, not in comments and strings)"
        }
        ul class="plain" {
            @for one in counts.iter().take(SHOWN) { li { code { (name(&one.path)) } ": " (one.before) " → " (one.after) } }
        }
        @if summary.not_searched > 0 {
            p class="muted" { (counted(count(summary.not_searched), "large file")) " not searched." }
        }
    }
}
