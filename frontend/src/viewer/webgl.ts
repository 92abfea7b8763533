/** Draws on the graphics processor: 16-bit grey, windowed anew for every frame. */

import { type Frame, levelFor, type Painter } from "./painter";
import type { Level } from "./pyramid";
import { unturned } from "./view";

const VERTEX = `#version 300 es
void main() {
  gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
}`;

// Integer textures have no filter of their own, so the four neighbours are mixed here, exactly.
const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
uniform highp usampler2D film;
uniform sampler2D heat;
uniform float height;
uniform vec2 origin, across, down, size, texels;
uniform vec2 range;
uniform float inverted, opacity, grey;
out vec4 colour;
float at(ivec2 place, ivec2 last) {
  return float(texelFetch(film, clamp(place, ivec2(0), last), 0).r);
}
void main() {
  vec2 screen = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec2 pixel = origin + screen.x * across + screen.y * down;
  if (any(lessThan(pixel, vec2(0.0))) || any(greaterThan(pixel, size))) {
    colour = vec4(0.0, 0.0, 0.0, 1.0);
    return;
  }
  vec2 place = pixel * texels - 0.5;
  ivec2 first = ivec2(floor(place));
  vec2 part = place - vec2(first);
  ivec2 last = textureSize(film, 0) - 1;
  float upper = mix(at(first, last), at(first + ivec2(1, 0), last), part.x);
  float lower = mix(at(first + ivec2(0, 1), last), at(first + ivec2(1, 1), last), part.x);
  float value = clamp((mix(upper, lower, part.y) - range.x) * range.y, 0.0, 1.0);
  vec3 shown = vec3(abs(inverted - value));
  if (opacity > 0.0) {
    vec4 mark = texture(heat, pixel / size);
    vec3 tint = mix(mark.rgb, vec3(0.62), grey);
    shown = mix(shown, tint, mark.a * opacity);
  }
  colour = vec4(shown, 1.0);
}`;

/** Texels handed over in one frame; more would make the frame late. */
const A_FRAME = 1 << 21;

interface Stored {
  level: Level;
  texture: WebGLTexture;
  rows: number;
}

function compiled(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type);
    if (!shader) throw new Error("the graphics context is lost");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
    throw new Error(gl.getProgramInfoLog(program) ?? "the shader does not link");
  }
  return program;
}

export class WebglPainter implements Painter {
  readonly kind = "webgl";
  private readonly program: WebGLProgram;
  private readonly places = new Map<string, WebGLUniformLocation | null>();
  private readonly largest: number;
  private heat: WebGLTexture | null = null;
  private levels: Level[] = [];
  private stored: (Stored | undefined)[] = [];

  constructor(private readonly gl: WebGL2RenderingContext) {
    this.program = compiled(gl);
    this.largest = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    gl.useProgram(this.program);
    gl.uniform1i(this.place("film"), 0);
    gl.uniform1i(this.place("heat"), 1);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 2);
  }

  setFilm(levels: Level[]): void {
    for (const one of this.stored) if (one) this.gl.deleteTexture(one.texture);
    this.levels = levels.filter((l) => Math.max(l.rows, l.columns) <= this.largest);
    this.stored = [];
  }

  setHeat(picture: ImageData | null): void {
    const { gl } = this;
    if (this.heat) gl.deleteTexture(this.heat);
    this.heat = null;
    if (!picture) return;
    this.heat = gl.createTexture();
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.heat);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    this.settle(gl.LINEAR);
  }

  draw(frame: Frame): boolean {
    const { gl } = this;
    const { stage, film, view, window } = frame;
    gl.viewport(0, 0, stage.width, stage.height);
    gl.clearColor(0, 0, 0, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!this.levels.length) return false;
    const wanted = levelFor(this.levels, film, view.scale);
    const more = this.store(wanted);
    const shown = this.ready(wanted);
    if (!shown) return more;
    const [x, y] = unturned(view.orientation, stage.width / 2, stage.height / 2);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, shown.texture);
    this.pair("origin", view.x - x / view.scale, view.y - y / view.scale);
    this.pair("across", ...unturned(view.orientation, 1 / view.scale, 0));
    this.pair("down", ...unturned(view.orientation, 0, 1 / view.scale));
    this.pair("size", film.width, film.height);
    this.pair("texels", shown.level.columns / film.width, shown.level.rows / film.height);
    this.pair("range", window.center - window.width / 2, 1 / window.width);
    gl.uniform1f(this.place("height"), stage.height);
    gl.uniform1f(this.place("inverted"), frame.inverted ? 1 : 0);
    gl.uniform1f(this.place("opacity"), this.heat ? frame.heat : 0);
    gl.uniform1f(this.place("grey"), frame.grey ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    return more;
  }

  dispose(): void {
    this.setFilm([]);
    this.setHeat(null);
    this.gl.deleteProgram(this.program);
  }

  private place(name: string): WebGLUniformLocation | null {
    let place = this.places.get(name);
    if (place === undefined) {
      place = this.gl.getUniformLocation(this.program, name);
      this.places.set(name, place);
    }
    return place;
  }

  private pair(name: string, x: number, y: number): void {
    this.gl.uniform2f(this.place(name), x, y);
  }

  /** Hands over the next rows of a level; returns whether rows are left. */
  private store(index: number): boolean {
    const { gl } = this;
    const level = this.levels[index];
    const { rows, columns } = level;
    gl.activeTexture(gl.TEXTURE0);
    let one = this.stored[index];
    if (!one) {
      one = { level, texture: gl.createTexture(), rows: 0 };
      this.stored[index] = one;
      gl.bindTexture(gl.TEXTURE_2D, one.texture);
      gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R16UI, columns, rows);
      this.settle(gl.NEAREST);
    }
    if (one.rows >= rows) return false;
    // With nothing else to show, a late frame is better than a black one.
    const first = this.stored.every((other) => !other || other.rows < other.level.rows);
    const some = first ? rows : Math.max(1, Math.floor(A_FRAME / columns));
    const count = Math.min(rows - one.rows, some);
    const part = level.data.subarray(one.rows * columns, (one.rows + count) * columns);
    gl.bindTexture(gl.TEXTURE_2D, one.texture);
    const { RED_INTEGER, UNSIGNED_SHORT } = gl;
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, one.rows, columns, count, RED_INTEGER, UNSIGNED_SHORT, part);
    one.rows += count;
    return one.rows < rows;
  }

  /** The nearest level that is there in full. */
  private ready(wanted: number): Stored | undefined {
    const whole = this.stored.filter((one) => one && one.rows >= one.level.rows);
    const ideal = this.levels[wanted].columns;
    const far = (one: Stored) => Math.abs(Math.log2(one.level.columns / ideal));
    return (whole as Stored[]).sort((a, b) => far(a) - far(b))[0];
  }

  private settle(filter: number): void {
    const { gl } = this;
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }
}
