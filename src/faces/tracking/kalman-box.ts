/** `[x1, y1, x2, y2]`, in pixels. */
export type Box = readonly [number, number, number, number];

/** One coordinate and its velocity per frame, with their covariance. */
interface Motion {
  position: number;
  velocity: number;
  positionVariance: number;
  covariance: number;
  velocityVariance: number;
}

// standard deviations: parts of the box's height, and those of its aspect ratio, which has no unit
const POSITION = 1 / 20;
const VELOCITY = 1 / 160;
const RATIO = { position: 1e-2, velocity: 1e-5, measured: 1e-1 };

/**
 * Where a box is and will be, by a Kalman filter of constant velocity over centre, aspect ratio and height: the one of
 * SORT (arXiv:1602.00763) with the noise of Deep SORT (arXiv:1703.07402), as in ByteTrack. All its matrices link a
 * coordinate to its own velocity alone, so that four filters of two numbers each are the same as one of eight.
 */
export class KalmanBox {
  readonly #x: Motion;
  readonly #y: Motion;
  readonly #ratio: Motion;
  readonly #height: Motion;

  constructor(box: Box) {
    const { x, y, ratio, height } = measure(box);
    const [position, velocity] = [2 * POSITION * height, 10 * VELOCITY * height];
    this.#x = start(x, position, velocity);
    this.#y = start(y, position, velocity);
    this.#ratio = start(ratio, RATIO.position, RATIO.velocity);
    this.#height = start(height, position, velocity);
  }

  get box(): Box {
    const height = this.#height.position;
    const [x, y, width] = [this.#x.position, this.#y.position, this.#ratio.position * height];
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
  }

  /** Goes on by one frame. What is out of sight goes on too, but neither grows nor shrinks. */
  predict(inSight: boolean): void {
    if (!inSight) this.#height.velocity = 0;
    const height = this.#height.position;
    for (const motion of [this.#x, this.#y, this.#height]) advance(motion, POSITION * height, VELOCITY * height);
    advance(this.#ratio, RATIO.position, RATIO.velocity);
  }

  /** Takes in where the box was found. */
  correct(box: Box): void {
    const { x, y, ratio, height } = measure(box);
    const noise = POSITION * this.#height.position;
    correct(this.#x, x, noise);
    correct(this.#y, y, noise);
    correct(this.#ratio, ratio, RATIO.measured);
    correct(this.#height, height, noise);
  }
}

function measure([x1, y1, x2, y2]: Box) {
  const height = y2 - y1;
  return { x: (x1 + x2) / 2, y: (y1 + y2) / 2, ratio: (x2 - x1) / height, height };
}

function start(position: number, deviation: number, velocityDeviation: number): Motion {
  return {
    position,
    velocity: 0,
    positionVariance: deviation ** 2,
    covariance: 0,
    velocityVariance: velocityDeviation ** 2,
  };
}

function advance(motion: Motion, deviation: number, velocityDeviation: number): void {
  motion.position += motion.velocity;
  motion.positionVariance += 2 * motion.covariance + motion.velocityVariance + deviation ** 2;
  motion.covariance += motion.velocityVariance;
  motion.velocityVariance += velocityDeviation ** 2;
}

function correct(motion: Motion, measured: number, deviation: number): void {
  const variance = motion.positionVariance + deviation ** 2;
  const gain = motion.positionVariance / variance;
  const velocityGain = motion.covariance / variance;
  const surprise = measured - motion.position;
  motion.position += gain * surprise;
  motion.velocity += velocityGain * surprise;
  motion.velocityVariance -= velocityGain * motion.covariance;
  motion.covariance -= gain * motion.covariance;
  motion.positionVariance -= gain * motion.positionVariance;
}
