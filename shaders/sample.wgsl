// Chooses the next token of every row's sequence and moves the sequence on by one position: one workgroup a row.
// Top-k and top-p are thresholds on the scaled logit. They are found exactly, by bisection over the 32 bits of a
// float in an order-preserving code, so nothing is sorted; logits equal to the threshold are all kept.
struct Settings {
  temperature: f32,
  // 0 = all
  topK: u32,
  // 1 = all
  topP: f32,
  unused: u32,
  // Ids that end a sequence; unused places repeat the first.
  ends: vec4u,
}

@group(0) @binding(0) var<uniform> settings: Settings;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
// Seed and stream of the random numbers, and the last position that may hold a token.
@group(0) @binding(2) var<storage, read> requests: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>;
@group(0) @binding(4) var<storage, read_write> probabilities: array<f32>;
@group(0) @binding(5) var<storage, read_write> ids: array<u32>;
@group(0) @binding(6) var<storage, read_write> positions: array<u32>;
@group(0) @binding(7) var<storage, read_write> finished: array<u32>;

var<workgroup> sums: array<f32, LANES>;
var<workgroup> counts: array<u32, LANES>;
var<workgroup> places: array<u32, LANES>;

// Larger floats get larger codes.
fn code(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

// PCG's output permutation, applied to each part of the counter in turn.
fn hash(seed: u32, stream: u32, position: u32) -> u32 {
  var state = seed;
  for (var part = 0u; part < 3u; part++) {
    state = (state ^ select(select(position, stream, part == 1u), 0x9e3779b9u, part == 0u)) * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    state = (word >> 22u) ^ word;
  }
  return state;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let sequence = group.x;
  let request = requests[sequence];
  let row = sequence * VOCABULARY;
  let scale = select(1.0, 1.0 / settings.temperature, settings.temperature > 0.0);

  var top = -3.0e38;
  var best = 0u;
  for (var v = lane; v < VOCABULARY; v += LANES) {
    if (logits[row + v] > top) {
      top = logits[row + v];
      best = v;
    }
  }
  sums[lane] = top;
  places[lane] = best;
  workgroupBarrier();
  var largest = sums[0];
  var chosen = places[0];
  for (var other = 1u; other < LANES; other++) {
    if (sums[other] > largest || (sums[other] == largest && places[other] < chosen)) {
      largest = sums[other];
      chosen = places[other];
    }
  }
  workgroupBarrier();

  var plain = 0.0;
  for (var v = lane; v < VOCABULARY; v += LANES) {
    plain += exp(logits[row + v] - largest);
  }
  sums[lane] = plain;
  workgroupBarrier();
  var normaliser = 0.0;
  for (var other = 0u; other < LANES; other++) {
    normaliser += sums[other];
  }
  workgroupBarrier();

  if (settings.temperature > 0.0) {
    var threshold = 0u;
    if (settings.topK > 0u && settings.topK < VOCABULARY) {
      for (var bit = 0x80000000u; bit > 0u; bit >>= 1u) {
        let candidate = threshold | bit;
        var count = 0u;
        for (var v = lane; v < VOCABULARY; v += LANES) {
          count += select(0u, 1u, code(logits[row + v]) >= candidate);
        }
        counts[lane] = count;
        workgroupBarrier();
        var total = 0u;
        for (var other = 0u; other < LANES; other++) {
          total += counts[other];
        }
        workgroupBarrier();
        if (total >= settings.topK) {
          threshold = candidate;
        }
      }
    }
    if (settings.topP < 1.0) {
      var wanted = 0.0;
      var nucleus = threshold;
      // The first round (no bit) measures the mass that top-k leaves.
      for (var round = 0u; round <= 32u; round++) {
        let candidate = select(nucleus | (0x80000000u >> (max(round, 1u) - 1u)), threshold, round == 0u);
        var mass = 0.0;
        for (var v = lane; v < VOCABULARY; v += LANES) {
          let value = logits[row + v];
          mass += select(0.0, exp((value - largest) * scale), code(value) >= max(candidate, threshold));
        }
        sums[lane] = mass;
        workgroupBarrier();
        var total = 0.0;
        for (var other = 0u; other < LANES; other++) {
          total += sums[other];
        }
        workgroupBarrier();
        if (round == 0u) {
          wanted = settings.topP * total;
          nucleus = 0u;
        } else if (total >= wanted) {
          nucleus = candidate;
        }
      }
      threshold = max(threshold, nucleus);
    }

    // Every lane owns a run of neighbouring tokens; the lane in whose run the random number falls walks it.
    let run = (VOCABULARY + LANES - 1u) / LANES;
    let first = lane * run;
    let end = min(first + run, VOCABULARY);
    var mass = 0.0;
    for (var v = first; v < end; v++) {
      mass += select(0.0, exp((logits[row + v] - largest) * scale), code(logits[row + v]) >= threshold);
    }
    sums[lane] = mass;
    workgroupBarrier();
    var total = 0.0;
    for (var other = 0u; other < LANES; other++) {
      total += sums[other];
    }
    let random = (f32(hash(request.x, request.y, positions[sequence]) >> 8u) + 0.5) / 16777216.0;
    let target_ = random * total;
    var before = 0.0;
    var owner = 0u;
    for (var other = 0u; other < LANES; other++) {
      // The last lane with any mass takes what rounding leaves over.
      if (sums[other] > 0.0 && before <= target_) {
        owner = other;
      }
      if (before + sums[other] > target_) {
        break;
      }
      before += sums[other];
    }
    var reached = 0.0;
    for (var other = 0u; other < owner; other++) {
      reached += sums[other];
    }
    var pick = chosen;
    for (var v = owner * run; v < min(owner * run + run, VOCABULARY); v++) {
      if (code(logits[row + v]) >= threshold) {
        pick = v;
        reached += exp((logits[row + v] - largest) * scale);
        if (reached > target_) {
          break;
        }
      }
    }
    chosen = pick;
  }

  workgroupBarrier();
  if (lane != 0u || finished[sequence] == 1u) {
    return;
  }
  let next = positions[sequence] + 1u;
  tokens[sequence * RING + next % RING] = chosen;
  probabilities[sequence * RING + next % RING] = exp(logits[row + chosen] - largest) / normaliser;
  ids[sequence] = chosen;
  if (any(settings.ends == vec4u(chosen)) || next >= request.z) {
    finished[sequence] = 1u;
  }
  positions[sequence] = next;
}
