/* C's side of c_code.rs: structures, 128-bit integers, variadic functions and callbacks, by the C ABI of wasm32. */
typedef __INT64_TYPE__ int64;
typedef __builtin_va_list va_list;

struct small { signed char only; };
struct pair { int a; double b; };
struct large { int64 parts[5]; };
union word { unsigned bits; float value; };

/* A structure of one scalar travels as that scalar, any other by its address. */
struct small negate(struct small s) { s.only = -s.only; return s; }
struct pair swap(struct pair p, short add) { struct pair r = { (int)p.b, p.a + add }; return r; }
struct large rotate(struct large l, unsigned by) {
    struct large r;
    for (unsigned i = 0; i < 5; i++) r.parts[(i + by) % 5] = l.parts[i];
    l.parts[0] = -1; /* the caller's own stays */
    return r;
}
union word flip(union word w) { w.bits ^= 0x80000000u; return w; }

/* Narrow integers: the callee may rely on the extension. */
int widths(signed char a, unsigned char b, short c, unsigned short d, _Bool e) { return a + 2 * b + 3 * c + 5 * d + 7 * e; }
signed char narrow(int x) { return (signed char)x; }
unsigned short narrower(int x) { return (unsigned short)x; }

__int128 multiply(__int128 a, unsigned __int128 b) { return a * (__int128)b; }

int64 total(int count, ...) {
    va_list args;
    __builtin_va_start(args, count);
    int64 sum = 0;
    for (int i = 0; i < count; i++) {
        int kind = __builtin_va_arg(args, int);
        if (kind == 0) sum += __builtin_va_arg(args, int);
        else if (kind == 1) sum += __builtin_va_arg(args, int64);
        else sum += (int64)__builtin_va_arg(args, double);
    }
    __builtin_va_end(args);
    return sum;
}

/* Defined in Rust. */
extern double weighted(int count, ...);
extern struct pair twice(struct pair p);
extern int shared_counter;

double call_weighted(void) { return weighted(3, 10, 0.5, (int64)1 << 40, 20, -1.5, (int64)-2, 30, 2.0, (int64)3); }

typedef struct large (*each)(void *context, int64 value, struct pair p, signed char tag);
int64 visit(each f, void *context, int count) {
    int64 sum = 0;
    for (int i = 0; i < count; i++) {
        struct pair p = { i, i * 0.5 };
        struct large l = f(context, (int64)i << 33, twice(p), (signed char)(127 + i));
        sum += l.parts[i % 5];
        shared_counter++;
    }
    return sum;
}
