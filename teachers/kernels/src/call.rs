//! The arguments that every kind of convolution kernel shares.
#![expect(unsafe_code, reason = "a residual is found by its offset from a pointer")]

/// The operations after the sum of products.
#[derive(Debug, Clone)]
pub(crate) struct Epilogue {
    /// One number for each output channel.
    pub bias: Vec<f32>,
    /// The activation's least and greatest value.
    pub range: [f32; 2],
}

/// Pointers to the tensors that a run reads and writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tensors {
    pub input: *const f32,
    /// As `output`, or null.
    pub residual: *const f32,
    pub output: *mut f32,
}

impl Tensors {
    /// The residual that goes with an output, or null.
    ///
    /// # Safety
    /// `offset` lies in the output.
    #[inline(always)]
    pub unsafe fn residual_at(&self, offset: usize) -> *const f32 {
        if self.residual.is_null() {
            self.residual
        } else {
            // SAFETY: a residual is as long as the output.
            unsafe { self.residual.add(offset) }
        }
    }
}
