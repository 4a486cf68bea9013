// One ConvNeXt block on the sphere's grid, forward and backward, as one pass over each example (AVX-512, AMX bfloat16).
//
// Why: XLA on CPU keeps every intermediate of the block in memory (the hidden layer is four times the input), has no
// bfloat16 matrix units, and lowers the depthwise convolution's gradient to a slow loop. Here an example stays in the L2
// cache; the backward pass computes the intermediates again instead of storing them. Products are bfloat16 with float32
// sums, all else is float32. The same block in plain JAX is `zoo.climate.models.convnext.plain_block`, its test's oracle.
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;
using F32 = ffi::Buffer<ffi::F32>;
using Out = ffi::ResultBuffer<ffi::F32>;
typedef uint16_t bf16;

namespace {

struct Aligned {  // zeroed scratch memory, 64-byte aligned
  void* p;
  explicit Aligned(size_t bytes) : p(aligned_alloc(64, (bytes + 63) / 64 * 64)) { memset(p, 0, bytes); }
  ~Aligned() { free(p); }
  Aligned(const Aligned&) = delete;
  float* f() const { return (float*)p; }
  bf16* h() const { return (bf16*)p; }
};

// GCC's tile intrinsics do not say that they read memory: this makes all stores before it happen.
inline void visible(const void* p) { asm volatile("" : : "r"(p) : "memory"); }

void tiles_on() {
  static long permitted = syscall(SYS_arch_prctl, 0x1023 /* ARCH_REQ_XCOMP_PERM */, 18 /* tile data */);
  (void)permitted;
  struct { uint8_t palette, start, reserved[14]; uint16_t bytes[16]; uint8_t rows[16]; } __attribute__((packed)) c;
  memset(&c, 0, sizeof c);
  c.palette = 1;
  for (int i = 0; i < 8; i++) c.rows[i] = 16, c.bytes[i] = 64;
  visible(&c);
  _tile_loadconfig(&c);
}

inline __m256i narrow(__m512 v) { return (__m256i)_mm512_cvtneps_pbh(v); }
inline bf16 narrow1(float v) { uint32_t u; memcpy(&u, &v, 4); return (u + 0x7fff + ((u >> 16) & 1)) >> 16; }

// Packs B[K][N] (element (k,n) at b[k*sk+n*sn]) into tiles [K/32][N/16] of 16 rows of 16 pairs, as TDPBF16PS wants it.
void pack(const float* b, int sk, int sn, int K, int N, bf16* out) {
  for (int k0 = 0; k0 < K; k0 += 32)
    for (int n0 = 0; n0 < N; n0 += 16)
      for (int r = 0; r < 16; r++)
        for (int c = 0; c < 16; c++) {
          const float* s = b + (size_t)(k0 + 2 * r) * sk + (size_t)(n0 + c) * sn;
          *out++ = narrow1(s[0]);
          *out++ = narrow1(s[sk]);
        }
}

// C[32][N] (row stride ldc) = A[32][K] (row stride lda) times packed B.
void gemm32(const bf16* a, int lda, const bf16* packed, float* c, int ldc, int N, int K) {
  const size_t row = (size_t)(N / 16) * 512;
  visible(a), visible(packed);
  for (int n = 0; n < N / 16; n += 2) {
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    for (int k = 0; k < K / 32; k++) {
      const bf16* b = packed + k * row + (size_t)n * 512;
      _tile_loadd(4, a + k * 32, lda * 2);
      _tile_loadd(5, a + k * 32 + 16 * lda, lda * 2);
      _tile_loadd(6, b, 64);
      _tile_loadd(7, b + 512, 64);
      _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c + n * 16, ldc * 4); _tile_stored(1, c + n * 16 + 16, ldc * 4);
    _tile_stored(2, c + n * 16 + 16 * ldc, ldc * 4); _tile_stored(3, c + n * 16 + 16 * ldc + 16, ldc * 4);
  }
}

// C[M][N] += A B with A in tiles [M/16][K/32] and B in tiles [K/32][N/16].
void gemm_add(const bf16* a, const bf16* b, float* c, int M, int N, int K) {
  const int kt = K / 32, nt = N / 16;
  visible(a), visible(b), visible(c);
  for (int n = 0; n < nt; n += 2)
    for (int m = 0; m < M / 16; m += 2) {
      float* o = c + (size_t)m * 16 * N + n * 16;
      _tile_loadd(0, o, N * 4); _tile_loadd(1, o + 16, N * 4);
      _tile_loadd(2, o + 16 * N, N * 4); _tile_loadd(3, o + 16 * N + 16, N * 4);
      for (int k = 0; k < kt; k++) {
        _tile_loadd(4, a + ((size_t)m * kt + k) * 512, 64);
        _tile_loadd(5, a + ((size_t)(m + 1) * kt + k) * 512, 64);
        _tile_loadd(6, b + ((size_t)k * nt + n) * 512, 64);
        _tile_loadd(7, b + ((size_t)k * nt + n + 1) * 512, 64);
        _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
      }
      _tile_stored(0, o, N * 4); _tile_stored(1, o + 16, N * 4);
      _tile_stored(2, o + 16 * N, N * 4); _tile_stored(3, o + 16 * N + 16, N * 4);
    }
}

// Transposes X[R][C] bfloat16 into A-tiles [C/16][R/32] of 16 rows (columns of X) by 32 (rows of X).
void transpose(const bf16* x, int R, int C, bf16* out) {
  for (int r0 = 0; r0 < R; r0 += 32)
    for (int c0 = 0; c0 < C; c0 += 16) {
      bf16* t = out + ((size_t)(c0 / 16) * (R / 32) + r0 / 32) * 512;
      for (int r = 0; r < 32; r++)
        for (int c = 0; c < 16; c++) t[c * 32 + r] = x[(size_t)(r0 + r) * C + c0 + c];
    }
}

inline __m512 sigmoid(__m512 x) {  // 1 / (1 + exp(-x)), relative error about 1e-4: finer than bfloat16
  __m512 y = _mm512_mul_ps(x, _mm512_set1_ps(-1.44269504f));
  y = _mm512_max_ps(_mm512_min_ps(y, _mm512_set1_ps(126.f)), _mm512_set1_ps(-126.f));
  __m512 n = _mm512_roundscale_ps(y, 0), f = _mm512_sub_ps(y, n);
  __m512 p = _mm512_set1_ps(9.6181291e-3f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5504109e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022651e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314718e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.f));
  return _mm512_rcp14_ps(_mm512_add_ps(_mm512_scalef_ps(p, n), _mm512_set1_ps(1.f)));
}

struct Shape {
  int B, X, Y, C, H, K;
  int rows() const { return X * Y; }
  int half() const { return K / 2; }
  int px() const { return X + K - 1; }
  int py() const { return Y + K - 1; }
};

void pad(const float* x, const Shape& s, float* out) {
  const int w = s.half();
  for (int i = 0; i < s.px(); i++)
    for (int j = 0; j < s.py(); j++) {
      int a = i - w, b = j - w;
      if (b < 0) b = -1 - b, a += s.X / 2;
      else if (b >= s.Y) b = 2 * s.Y - 1 - b, a += s.X / 2;
      a = (a + 2 * s.X) % s.X;
      memcpy(out + ((size_t)i * s.py() + j) * s.C, x + ((size_t)a * s.Y + b) * s.C, s.C * 4);
    }
}

void pad_adjoint_add(const float* g, const Shape& s, float* x) {
  const int w = s.half();
  for (int i = 0; i < s.px(); i++)
    for (int j = 0; j < s.py(); j++) {
      int a = i - w, b = j - w;
      if (b < 0) b = -1 - b, a += s.X / 2;
      else if (b >= s.Y) b = 2 * s.Y - 1 - b, a += s.X / 2;
      a = (a + 2 * s.X) % s.X;
      float* o = x + ((size_t)a * s.Y + b) * s.C;
      const float* v = g + ((size_t)i * s.py() + j) * s.C;
      for (int c = 0; c < s.C; c += 16) _mm512_storeu_ps(o + c, _mm512_add_ps(_mm512_loadu_ps(o + c), _mm512_loadu_ps(v + c)));
    }
}

// 'Valid' depthwise correlation: in [X+K-1][Y+K-1][C] -> out [X][Y][C]; flip turns the kernel round.
void correlate(const float* in, const float* k, const float* bias, float* out, int X, int Y, int C, int K, bool flip) {
  const int py = Y + K - 1;
  for (int c = 0; c < C; c += 32)
    for (int i = 0; i < X; i++)
      for (int j = 0; j < Y; j += 4) {
        const int n = Y - j < 4 ? Y - j : 4;
        __m512 acc[4][2];
        for (int q = 0; q < 4; q++)
          for (int z = 0; z < 2; z++) acc[q][z] = bias ? _mm512_loadu_ps(bias + c + 16 * z) : _mm512_setzero_ps();
        for (int a = 0; a < K; a++)
          for (int b = 0; b < K; b++) {
            const float* t = k + (size_t)(flip ? K * K - 1 - (a * K + b) : a * K + b) * C + c;
            const __m512 k0 = _mm512_loadu_ps(t), k1 = _mm512_loadu_ps(t + 16);
            const float* v = in + ((size_t)(i + a) * py + j + b) * C + c;
            if (n == 4) {
#pragma GCC unroll 4
              for (int q = 0; q < 4; q++) {
                acc[q][0] = _mm512_fmadd_ps(k0, _mm512_loadu_ps(v + q * C), acc[q][0]);
                acc[q][1] = _mm512_fmadd_ps(k1, _mm512_loadu_ps(v + q * C + 16), acc[q][1]);
              }
            } else {
              for (int q = 0; q < n; q++) {
                acc[q][0] = _mm512_fmadd_ps(k0, _mm512_loadu_ps(v + q * C), acc[q][0]);
                acc[q][1] = _mm512_fmadd_ps(k1, _mm512_loadu_ps(v + q * C + 16), acc[q][1]);
              }
            }
          }
        for (int q = 0; q < n; q++)
          for (int z = 0; z < 2; z++) _mm512_storeu_ps(out + ((size_t)i * Y + j + q) * C + c + 16 * z, acc[q][z]);
      }
}

// Gradients of the depthwise convolution: dk += and dx += (dx on the unpadded grid). `wide` and `back` are scratch.
void correlate_backward(const float* padded, const float* k, const float* g, const Shape& s, float* dk, float* dx,
                        float* wide, float* back) {
  const int K = s.K, C = s.C, py = s.py(), wy = s.Y + 2 * (K - 1);
  for (int c = 0; c < C; c += 16)
    for (int a = 0; a < K; a++) {
      __m512 acc[7];
      for (int b = 0; b < 7; b++) acc[b] = _mm512_setzero_ps();
      for (int i = 0; i < s.X; i++)
        for (int j = 0; j < s.Y; j++) {
          const __m512 v = _mm512_loadu_ps(g + ((size_t)i * s.Y + j) * C + c);
          const float* x = padded + ((size_t)(i + a) * py + j) * C + c;
#pragma GCC unroll 7
          for (int b = 0; b < 7; b++) acc[b] = _mm512_fmadd_ps(v, _mm512_loadu_ps(x + b * C), acc[b]);
        }
      for (int b = 0; b < 7; b++) {
        float* o = dk + (size_t)(a * K + b) * C + c;
        _mm512_storeu_ps(o, _mm512_add_ps(_mm512_loadu_ps(o), acc[b]));
      }
    }
  for (int i = 0; i < s.X; i++)  // the border of `wide` stays zero
    memcpy(wide + ((size_t)(i + K - 1) * wy + K - 1) * C, g + (size_t)i * s.Y * C, (size_t)s.Y * C * 4);
  correlate(wide, k, nullptr, back, s.px(), s.py(), C, K, true);
  pad_adjoint_add(back, s, dx);
}

// Layer norm over channels and latitude-wise affine map; keeps the normalised values in x (in place) and 1/s.d.
void norm_affine(float* x, const float* scale, const float* shift, const Shape& s, float* inverse, bf16* out) {
  const int C = s.C;
  for (int r = 0; r < s.rows(); r++) {
    float* v = x + (size_t)r * C;
    const float *a = scale + (size_t)(r % s.Y) * C, *b = shift + (size_t)(r % s.Y) * C;
    __m512 sum = _mm512_setzero_ps(), square = _mm512_setzero_ps();
    for (int c = 0; c < C; c += 16) sum = _mm512_add_ps(sum, _mm512_loadu_ps(v + c));
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(sum) / C);
    for (int c = 0; c < C; c += 16) {
      const __m512 d = _mm512_sub_ps(_mm512_loadu_ps(v + c), mean);
      square = _mm512_fmadd_ps(d, d, square);
      _mm512_storeu_ps(v + c, d);
    }
    const float rs = 1.f / __builtin_sqrtf(_mm512_reduce_add_ps(square) / C + 1e-6f);
    inverse[r] = rs;
    for (int c = 0; c < C; c += 16) {
      const __m512 d = _mm512_mul_ps(_mm512_loadu_ps(v + c), _mm512_set1_ps(rs));
      _mm512_storeu_ps(v + c, d);
      _mm256_storeu_si256((__m256i*)(out + (size_t)r * C + c), narrow(_mm512_fmadd_ps(d, _mm512_loadu_ps(a + c), _mm512_loadu_ps(b + c))));
    }
  }
}

const __m512 CUBIC = _mm512_set1_ps(0.044715f), ROOT = _mm512_set1_ps(1.5957691216f);  // 2 sqrt(2/pi)

struct Weights {
  const float *k, *bias, *scale, *shift, *b1, *b2;
  const bf16 *w1, *w2, *w1t, *w2t;  // packed
};

void forward(const float* x, float* y, const Shape& s, const Weights& w, int from, int to) {
  tiles_on();
  const int R = s.rows(), C = s.C, H = s.H;
  Aligned padded((size_t)s.px() * s.py() * C * 4), d((size_t)R * C * 4), u((size_t)R * C * 2), inverse(R * 4);
  Aligned h((size_t)32 * H * 4), g((size_t)32 * H * 2), o((size_t)32 * C * 4);
  for (int n = from; n < to; n++) {
    const float* xn = x + (size_t)n * R * C;
    float* yn = y + (size_t)n * R * C;
    pad(xn, s, padded.f());
    correlate(padded.f(), w.k, w.bias, d.f(), s.X, s.Y, C, s.K, false);
    norm_affine(d.f(), w.scale, w.shift, s, inverse.f(), u.h());
    for (int r = 0; r < R; r += 32) {
      gemm32(u.h() + (size_t)r * C, C, w.w1, h.f(), H, H, C);
      for (int i = 0; i < 32; i++)
        for (int c = 0; c < H; c += 16) {
          const __m512 v = _mm512_add_ps(_mm512_loadu_ps(h.f() + i * H + c), _mm512_loadu_ps(w.b1 + c));
          const __m512 q = _mm512_mul_ps(ROOT, _mm512_mul_ps(v, _mm512_fmadd_ps(_mm512_mul_ps(v, v), CUBIC, _mm512_set1_ps(1.f))));
          _mm256_storeu_si256((__m256i*)(g.h() + i * H + c), narrow(_mm512_mul_ps(v, sigmoid(q))));
        }
      gemm32(g.h(), H, w.w2, o.f(), C, C, H);
      for (int i = 0; i < 32; i++)
        for (int c = 0; c < C; c += 16) {
          const size_t at = (size_t)(r + i) * C + c;
          const __m512 v = _mm512_add_ps(_mm512_loadu_ps(o.f() + i * C + c), _mm512_loadu_ps(w.b2 + c));
          _mm512_storeu_ps(yn + at, _mm512_add_ps(v, _mm512_loadu_ps(xn + at)));
        }
    }
  }
  _tile_release();
}

struct Gradients {  // of one thread, in one allocation
  int C, H, Y, K;
  size_t nk, na, nw;
  Aligned all;
  Gradients(const Shape& s)
      : C(s.C), H(s.H), Y(s.Y), K(s.K), nk((size_t)K * K * C), na((size_t)Y * C), nw((size_t)C * H),
        all((nk + 2 * C + 2 * na + 2 * nw + H) * 4) {}
  size_t size() const { return nk + 2 * C + 2 * na + 2 * nw + H; }
  float* w1() { return all.f(); }
  float* w2t() { return w1() + nw; }
  float* k() { return w2t() + nw; }
  float* scale() { return k() + nk; }
  float* shift() { return scale() + na; }
  float* bias() { return shift() + na; }
  float* b2() { return bias() + C; }
  float* b1() { return b2() + C; }
};

void backward(const float* x, const float* dy, float* dx, const Shape& s, const Weights& w, Gradients& grad, int from, int to) {
  tiles_on();
  const int R = s.rows(), C = s.C, H = s.H, w2 = 2 * (s.K - 1);
  Aligned padded((size_t)s.px() * s.py() * C * 4), d((size_t)R * C * 4), u((size_t)R * C * 2), inverse(R * 4);
  Aligned gb((size_t)R * C * 2), h((size_t)32 * H * 4), dg((size_t)32 * H * 4), dh((size_t)32 * H * 2), du((size_t)R * C * 4);
  Aligned gv((size_t)R * H * 2), dhv((size_t)R * H * 2), t((size_t)R * C * 2);
  Aligned wide((size_t)(s.X + w2) * (s.Y + w2) * C * 4), back((size_t)s.px() * s.py() * C * 4);
  for (int n = from; n < to; n++) {
    const float *xn = x + (size_t)n * R * C, *gn = dy + (size_t)n * R * C;
    float* dxn = dx + (size_t)n * R * C;
    pad(xn, s, padded.f());
    correlate(padded.f(), w.k, w.bias, d.f(), s.X, s.Y, C, s.K, false);
    norm_affine(d.f(), w.scale, w.shift, s, inverse.f(), u.h());
    for (int r = 0; r < R; r++)
      for (int c = 0; c < C; c += 16) {
        const __m512 v = _mm512_loadu_ps(gn + (size_t)r * C + c);
        _mm256_storeu_si256((__m256i*)(gb.h() + (size_t)r * C + c), narrow(v));
        _mm512_storeu_ps(grad.b2() + c, _mm512_add_ps(_mm512_loadu_ps(grad.b2() + c), v));
      }
    for (int r = 0; r < R; r += 32) {
      gemm32(u.h() + (size_t)r * C, C, w.w1, h.f(), H, H, C);
      gemm32(gb.h() + (size_t)r * C, C, w.w2t, dg.f(), H, H, C);
      for (int i = 0; i < 16; i++)
        for (int c = 0; c < H; c += 16) {
          __m512i gelu[2], slope[2];
          __m512 sum = _mm512_loadu_ps(grad.b1() + c);
          for (int e = 0; e < 2; e++) {
            const size_t at = (size_t)(2 * i + e) * H + c;
            const __m512 v = _mm512_add_ps(_mm512_loadu_ps(h.f() + at), _mm512_loadu_ps(w.b1 + c));
            const __m512 sq = _mm512_mul_ps(v, v), one = _mm512_set1_ps(1.f);
            const __m512 sg = sigmoid(_mm512_mul_ps(ROOT, _mm512_mul_ps(v, _mm512_fmadd_ps(sq, CUBIC, one))));
            const __m512 vs = _mm512_mul_ps(v, sg);
            // d gelu = s + v s (1 - s) ROOT (1 + 3 CUBIC v^2)
            const __m512 inner = _mm512_mul_ps(ROOT, _mm512_fmadd_ps(sq, _mm512_set1_ps(0.134145f), one));
            const __m512 sl = _mm512_fmadd_ps(_mm512_mul_ps(vs, _mm512_sub_ps(one, sg)), inner, sg);
            const __m512 dv = _mm512_mul_ps(sl, _mm512_loadu_ps(dg.f() + at));
            sum = _mm512_add_ps(sum, dv);
            const __m256i nv = narrow(dv);
            _mm256_storeu_si256((__m256i*)(dh.h() + at), nv);
            gelu[e] = _mm512_cvtepu16_epi32(narrow(vs));
            slope[e] = _mm512_cvtepu16_epi32(nv);
          }
          _mm512_storeu_ps(grad.b1() + c, sum);
          const size_t tile = (((size_t)(r / 32) * (H / 16) + c / 16) * 16 + i) * 32;
          _mm512_storeu_si512(gv.h() + tile, _mm512_or_si512(gelu[0], _mm512_slli_epi32(gelu[1], 16)));
          _mm512_storeu_si512(dhv.h() + tile, _mm512_or_si512(slope[0], _mm512_slli_epi32(slope[1], 16)));
        }
      gemm32(dh.h(), H, w.w1t, du.f() + (size_t)r * C, C, C, H);
    }
    transpose(u.h(), R, C, t.h());
    gemm_add(t.h(), dhv.h(), grad.w1(), C, H, R);
    transpose(gb.h(), R, C, t.h());
    gemm_add(t.h(), gv.h(), grad.w2t(), C, H, R);
    for (int r = 0; r < R; r++) {
      float *v = du.f() + (size_t)r * C, *z = d.f() + (size_t)r * C;
      const float* a = w.scale + (size_t)(r % s.Y) * C;
      float *ga = grad.scale() + (size_t)(r % s.Y) * C, *gs = grad.shift() + (size_t)(r % s.Y) * C;
      __m512 m0 = _mm512_setzero_ps(), m1 = _mm512_setzero_ps();
      for (int c = 0; c < C; c += 16) {
        const __m512 g = _mm512_loadu_ps(v + c), zz = _mm512_loadu_ps(z + c);
        _mm512_storeu_ps(gs + c, _mm512_add_ps(_mm512_loadu_ps(gs + c), g));
        _mm512_storeu_ps(ga + c, _mm512_fmadd_ps(g, zz, _mm512_loadu_ps(ga + c)));
        const __m512 ds = _mm512_mul_ps(g, _mm512_loadu_ps(a + c));
        _mm512_storeu_ps(v + c, ds);
        m0 = _mm512_add_ps(m0, ds);
        m1 = _mm512_fmadd_ps(ds, zz, m1);
      }
      const __m512 a0 = _mm512_set1_ps(_mm512_reduce_add_ps(m0) / C), a1 = _mm512_set1_ps(_mm512_reduce_add_ps(m1) / C);
      for (int c = 0; c < C; c += 16) {
        __m512 q = _mm512_sub_ps(_mm512_loadu_ps(v + c), _mm512_fmadd_ps(_mm512_loadu_ps(z + c), a1, a0));
        q = _mm512_mul_ps(q, _mm512_set1_ps(inverse.f()[r]));
        _mm512_storeu_ps(v + c, q);
        _mm512_storeu_ps(grad.bias() + c, _mm512_add_ps(_mm512_loadu_ps(grad.bias() + c), q));
      }
    }
    memcpy(dxn, gn, (size_t)R * C * 4);
    correlate_backward(padded.f(), w.k, du.f(), s, grad.k(), dxn, wide.f(), back.f());
  }
  _tile_release();
}

int threads(int examples) {
  const char* asked = getenv("ZOO_FUSED_THREADS");
  const int n = asked ? atoi(asked) : 1;
  return n < 1 ? 1 : (n > examples ? examples : n);
}

template <class Work>
void divide(int examples, Work work) {
  const int n = threads(examples);
  std::vector<std::thread> others;
  for (int i = 1; i < n; i++) others.emplace_back([=] { work(i, examples * i / n, examples * (i + 1) / n); });
  work(0, 0, examples / n);
  for (auto& t : others) t.join();
}

Shape shape_of(const F32& x, const F32& k, int64_t hidden) {
  auto d = x.dimensions();
  return {(int)d[0], (int)d[1], (int)d[2], (int)d[3], (int)hidden, (int)k.dimensions()[0]};
}

ffi::Error BlockForward(F32 x, F32 k, F32 bias, F32 scale, F32 shift, F32 w1, F32 b1, F32 w2, F32 b2, Out y) {
  const Shape s = shape_of(x, k, w1.dimensions()[1]);
  Aligned p1((size_t)s.C * s.H * 2), p2((size_t)s.C * s.H * 2);
  pack(w1.typed_data(), s.H, 1, s.C, s.H, p1.h());
  pack(w2.typed_data(), s.C, 1, s.H, s.C, p2.h());
  const Weights w{k.typed_data(), bias.typed_data(), scale.typed_data(), shift.typed_data(), b1.typed_data(), b2.typed_data(), p1.h(), p2.h(), nullptr, nullptr};
  divide(s.B, [&](int, int from, int to) { forward(x.typed_data(), y->typed_data(), s, w, from, to); });
  return ffi::Error::Success();
}

ffi::Error BlockBackward(F32 x, F32 k, F32 bias, F32 scale, F32 shift, F32 w1, F32 b1, F32 w2, F32 b2, F32 dy, Out dx, Out dk,
                         Out dbias, Out dscale, Out dshift, Out dw1, Out db1, Out dw2, Out db2) {
  const Shape s = shape_of(x, k, w1.dimensions()[1]);
  Aligned p1((size_t)s.C * s.H * 2), p1t((size_t)s.C * s.H * 2), p2t((size_t)s.C * s.H * 2);
  pack(w1.typed_data(), s.H, 1, s.C, s.H, p1.h());
  pack(w1.typed_data(), 1, s.H, s.H, s.C, p1t.h());
  pack(w2.typed_data(), 1, s.C, s.C, s.H, p2t.h());
  const Weights w{k.typed_data(), bias.typed_data(), scale.typed_data(), shift.typed_data(), b1.typed_data(), b2.typed_data(), p1.h(), nullptr, p1t.h(), p2t.h()};
  std::vector<Gradients*> parts;
  for (int i = 0; i < threads(s.B); i++) parts.push_back(new Gradients(s));
  divide(s.B, [&](int i, int from, int to) { backward(x.typed_data(), dy.typed_data(), dx->typed_data(), s, w, *parts[i], from, to); });
  Gradients& g = *parts[0];
  for (size_t i = 1; i < parts.size(); i++) {
    for (size_t j = 0; j < g.size(); j++) g.all.f()[j] += parts[i]->all.f()[j];
    delete parts[i];
  }
  memcpy(dk->typed_data(), g.k(), g.nk * 4);
  memcpy(dbias->typed_data(), g.bias(), s.C * 4);
  memcpy(dscale->typed_data(), g.scale(), g.na * 4);
  memcpy(dshift->typed_data(), g.shift(), g.na * 4);
  memcpy(dw1->typed_data(), g.w1(), g.nw * 4);
  memcpy(db1->typed_data(), g.b1(), s.H * 4);
  memcpy(db2->typed_data(), g.b2(), s.C * 4);
  for (int h = 0; h < s.H; h++)
    for (int c = 0; c < s.C; c++) dw2->typed_data()[(size_t)h * s.C + c] = g.w2t()[(size_t)c * s.H + h];
  delete parts[0];
  return ffi::Error::Success();
}

ffi::Error DepthwiseForward(F32 x, F32 k, Out y) {
  const Shape s = shape_of(x, k, 0);
  const size_t one = (size_t)s.rows() * s.C;
  divide(s.B, [&](int, int from, int to) {
    Aligned padded((size_t)s.px() * s.py() * s.C * 4);
    for (int n = from; n < to; n++) {
      pad(x.typed_data() + n * one, s, padded.f());
      correlate(padded.f(), k.typed_data(), nullptr, y->typed_data() + n * one, s.X, s.Y, s.C, s.K, false);
    }
  });
  return ffi::Error::Success();
}

ffi::Error DepthwiseBackward(F32 x, F32 k, F32 dy, Out dx, Out dk) {
  const Shape s = shape_of(x, k, 0);
  const size_t one = (size_t)s.rows() * s.C, size = (size_t)s.K * s.K * s.C;
  const int w2 = 2 * (s.K - 1);
  std::vector<float> parts(size * threads(s.B), 0.f);
  divide(s.B, [&](int i, int from, int to) {
    Aligned padded((size_t)s.px() * s.py() * s.C * 4), wide((size_t)(s.X + w2) * (s.Y + w2) * s.C * 4), back((size_t)s.px() * s.py() * s.C * 4);
    for (int n = from; n < to; n++) {
      pad(x.typed_data() + n * one, s, padded.f());
      memset(dx->typed_data() + n * one, 0, one * 4);
      correlate_backward(padded.f(), k.typed_data(), dy.typed_data() + n * one, s, parts.data() + size * i, dx->typed_data() + n * one, wide.f(), back.f());
    }
  });
  memset(dk->typed_data(), 0, size * 4);
  for (size_t j = 0; j < parts.size(); j++) dk->typed_data()[j % size] += parts[j];
  return ffi::Error::Success();
}

}  // namespace

#define A(T) .Arg<T>()
#define R(T) .Ret<T>()
typedef ffi::Buffer<ffi::F32> FB;
XLA_FFI_DEFINE_HANDLER_SYMBOL(BlockForwardCall, BlockForward, ffi::Ffi::Bind() A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) R(FB));
XLA_FFI_DEFINE_HANDLER_SYMBOL(BlockBackwardCall, BlockBackward,
                              ffi::Ffi::Bind() A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) A(FB) R(FB) R(FB) R(FB) R(FB) R(FB) R(FB) R(FB) R(FB) R(FB));
XLA_FFI_DEFINE_HANDLER_SYMBOL(DepthwiseForwardCall, DepthwiseForward, ffi::Ffi::Bind() A(FB) A(FB) R(FB));
XLA_FFI_DEFINE_HANDLER_SYMBOL(DepthwiseBackwardCall, DepthwiseBackward, ffi::Ffi::Bind() A(FB) A(FB) A(FB) R(FB) R(FB));
