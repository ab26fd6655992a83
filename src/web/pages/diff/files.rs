//! The list of files, and which of them are shown at once.

use maud::{Markup, html};

use super::request::Request;
use crate::source::comparison::{FileChange, How};
use crate::web::ApiError;
use crate::web::pages::parts::text::{counted, name};
use crate::web::pages::source::MAX_SHOWN;

/// Files on one page.
const PER_PAGE: usize = 300;
/// Files whose differences are shown at once.
const OPEN: usize = 40;
/// Changed lines that are shown at once.
const LINES: u64 = 2000;
/// Bytes of the texts that are compared for it.
const BYTES: u64 = 4 * MAX_SHOWN;

/// The files of a page.
pub struct List<'a> {
    files: &'a [FileChange],
    page: usize,
    /// The files of the page begin here.
    start: usize,
    /// Whether the differences are shown at once, by the place on the page.
    open: Vec<bool>,
}

impl<'a> List<'a> {
    /// The files of the page that the request names.
    pub fn of(request: &'a Request) -> Result<Self, ApiError> {
        let page = request.query.parsed::<usize>("page", "the number of a page, from 1 on")?.unwrap_or(1).max(1);
        let files = &request.comparison.files;
        let start = (page - 1).saturating_mul(PER_PAGE).min(files.len());
        let mut list = Self { files, page, start, open: Vec::new() };
        let (mut lines, mut bytes, mut count) = (0, 0, 0);
        for (_, file) in list.places() {
            let (of_file, size) = (changed_lines(file), size(file));
            let fits = count < OPEN && lines + of_file <= LINES && bytes + size <= BYTES;
            if fits {
                (lines, bytes, count) = (lines + of_file, bytes + size, count + 1);
            }
            list.open.push(fits);
        }
        Ok(list)
    }

    fn places(&self) -> impl Iterator<Item = (usize, &'a FileChange)> + use<'a> {
        self.files.iter().enumerate().skip(self.start).take(PER_PAGE)
    }

    /// The files of the page with their places among all.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &'a FileChange)> + use<'a> {
        self.places()
    }

    /// Whether the differences of the file at this place are shown at once.
    pub fn is_open(&self, place: usize) -> bool {
        place.checked_sub(self.start).and_then(|place| self.open.get(place)).copied().unwrap_or(false)
    }

    /// The list, with links to the differences.
    pub fn table(&self, request: &Request) -> Markup {
        let (added, removed) = request.comparison.lines();
        let unchanged = request.comparison.unchanged;
        html! {
            h2 id="files" { "Files" }
            div class="scroll" {
                table class="files" {
                    caption {
                        (counted(count(self.files.len()), "file")) " changed, "
                        (counted(count(added), "line")) " added, " (counted(count(removed), "line")) " removed; "
                        (counted(count(unchanged), "file")) " unchanged"
                    }
                    thead {
                        tr { th scope="col" { "File" } th scope="col" { "Change" } th scope="col" class="n" { "Added" } th scope="col" class="n" { "Removed" } }
                    }
                    tbody { @for (place, file) in self.places() { (row(place, file)) } }
                }
            }
        }
    }

    /// Links to the neighbouring pages.
    pub fn pager(&self, request: &Request) -> Markup {
        let page = |page: usize| request.path(&[("page", &page.to_string()), ("view", request.view())]);
        html! {
            @if self.files.len() > PER_PAGE {
                nav class="pager" aria-label="Pages" {
                    @if self.page > 1 { a href=(page(self.page - 1)) rel="prev" { "Previous files" } }
                    @if self.start + PER_PAGE < self.files.len() { a href=(page(self.page + 1)) rel="next" { "Next files" } }
                }
            }
        }
    }
}

fn row(place: usize, file: &FileChange) -> Markup {
    html! {
        tr {
            td class="wrap" { a href={ "#f" (place) } { (name(&file.path)) } }
            td { (how(file)) }
            @match file.lines {
                Some((added, removed)) => {
                    td class="n plus" { @if added > 0 { "+" (added) } }
                    td class="n minus" { @if removed > 0 { "−" (removed) } }
                }
                None => { td class="n muted" colspan="2" { @if file.is_text() { "not counted" } @else { "no text" } } }
            }
        }
    }
}

/// How a file changed, as a mark.
pub fn how(file: &FileChange) -> Markup {
    html! {
        @match &file.how {
            How::Added => { span class="tag good" { "added" } }
            How::Removed => { span class="tag bad" { "removed" } }
            How::Changed => { span class="tag" { "changed" } }
            How::Renamed { .. } => { span class="tag warn" { "renamed" } }
        }
    }
}

pub fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The lines that would be shown.
fn changed_lines(file: &FileChange) -> u64 {
    if !file.is_shown_by_lines() {
        return 0;
    }
    // Lines that were not counted are many.
    file.lines.map_or(LINES, |(added, removed)| u64::from(added) + u64::from(removed))
}

fn size(file: &FileChange) -> u64 {
    let sides = file.before.iter().chain(&file.after);
    if file.is_shown_by_lines() { sides.map(|side| side.size).sum() } else { 0 }
}
