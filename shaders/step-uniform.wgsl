// The numbers of one optimizer step, rewritten before each replay; `training/step-numbers.ts` writes them in this order.
struct StepNumbers {
  step: u32,
  // Place of this step in the ring of metrics.
  slot: u32,
  learningRate: f32,
  beta1: f32,
  beta2: f32,
  // 1 - beta, rounded from f64: in f32 the subtraction would lose half the digits.
  oneMinusBeta1: f32,
  oneMinusBeta2: f32,
  epsilon: f32,
  weightDecay: f32,
  // Largest gradient norm; 0 = no clipping.
  clipNorm: f32,
}

// What the GPU decides and carries from step to step by itself.
struct Control {
  // Factor on all gradients: clipping.
  scale: f32,
  // 1: loss or norm is not finite and this update is left out.
  skip: u32,
  // Updates made, without the skipped ones.
  updates: u32,
  // 1 - beta^updates, by recurrence.
  correction1: f32,
  correction2: f32,
}
