//! The keywords of the languages in `tables`, and their built-in types.

/// Words, each of which has a meaning in a language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words(pub &'static str);

impl Words {
    /// Whether a word is one of them.
    pub fn contain(self, word: &str) -> bool {
        self.0.split_ascii_whitespace().any(|one| one == word)
    }
}

pub(super) const C_KEYWORDS: Words = Words(
    "auto break case const continue default do else enum extern for goto if inline register restrict return \
     sizeof static struct switch typedef union volatile while _Alignas _Atomic _Generic _Noreturn \
     _Static_assert _Thread_local",
);

pub(super) const C_TYPES: Words = Words(
    "bool char double float int long short signed unsigned void size_t ssize_t int8_t int16_t int32_t int64_t \
     uint8_t uint16_t uint32_t uint64_t intptr_t uintptr_t _Bool",
);

pub(super) const CPP_KEYWORDS: Words = Words(
    "alignas alignof and asm auto break case catch class co_await co_return co_yield concept const consteval \
     constexpr constinit const_cast continue decltype default delete do dynamic_cast else enum explicit \
     export extern final for friend goto if inline mutable namespace new noexcept not operator or override \
     private protected public register reinterpret_cast requires return sizeof static static_assert \
     static_cast struct switch template this throw try typedef typeid typename union using virtual volatile \
     while",
);

pub(super) const JS_KEYWORDS: Words = Words(
    "as await break case catch class const continue debugger declare default delete do else enum export \
     extends finally for from function get if implements import in instanceof interface let namespace new of \
     private protected public readonly return set static super switch this throw try type typeof var void \
     while with yield async",
);

pub(super) const PYTHON_KEYWORDS: Words = Words(
    "and as assert await break class continue def del elif else except finally for from global if \
     import in is lambda nonlocal not or pass raise return try while with yield async",
);

pub(super) const SHELL_KEYWORDS: Words = Words(
    "case do done elif else esac exec exit export fi for function if in local read return set shift source \
     then trap unset until while",
);

pub(super) const GO_KEYWORDS: Words = Words(
    "break case chan const continue default defer else fallthrough for func go goto if import interface map \
     package range return select struct switch type var",
);

pub(super) const SHADER_KEYWORDS: Words = Words(
    "break case const continue default discard do else fn for if in inout let loop out override return struct \
     switch uniform var varying while",
);

pub(super) const PROTO_KEYWORDS: Words = Words(
    "enum extend extensions import map message oneof option optional package public repeated required \
     reserved returns rpc service stream syntax",
);

pub(super) const DOCKER_KEYWORDS: Words = Words(
    "ADD ARG AS CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL USER \
     VOLUME WORKDIR",
);
