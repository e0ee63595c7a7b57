//! Room for deep expressions: what walks a tree recursively must not depend on how much stack a caller has left.

use crate::ast::Expr;

/// Nesting that is walked on the caller's stack, of which nothing is known.
const CALLERS_STACK_DEPTH_MAX: usize = 30;
/// Stack for deeper trees, up to [`crate::DEPTH_MAX`]: measured at no more than 16 KiB a level without optimization.
const DEEP_STACK_BYTES: usize = 16 << 20;

/// Runs `work`, which walks the expression, where there is enough stack for it; the error is that of starting a thread.
pub(crate) fn with_room<R: Send>(expr: &Expr, work: impl FnOnce() -> R + Send) -> std::io::Result<R> {
    if expr.depth() <= CALLERS_STACK_DEPTH_MAX { Ok(work()) } else { with_stack(DEEP_STACK_BYTES, work) }
}

/// Runs `work` in a thread with a stack of this size.
pub(crate) fn with_stack<R: Send>(bytes: usize, work: impl FnOnce() -> R + Send) -> std::io::Result<R> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(bytes);
        let thread = builder.spawn_scoped(scope, work)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
