/* Folds fills in order into bookings, positions and session tallies, on whole numbers of 128 bits; turns decimal
   texts into whole numbers and back. It allocates nothing and calls nothing: the caller owns all memory.
   `trade/position.py` and `performance/tally.py` define what is right; tests/columns holds the two equal. */
#include <stdint.h>
#include <string.h>

typedef int64_t i64;
typedef __int128 i128;
typedef unsigned __int128 u128;
#ifdef _WIN32
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

/* `native.py` states the same numbers: they are the format of the rows between the two. */
enum { VERSION = 2 };
enum { QUANTITY, PRICE, FEE, MULTIPLIER, STOP, TARGET, AMOUNTS };
/* Decimals of one account's numbers: of quantities, prices, fees, multipliers and money. */
enum { S_QUANTITY, S_PRICE, S_FEE, S_MULTIPLIER, S_MONEY, SCALES };
enum { IS_BUY = 1, CLOSES = 2, IS_PAPER = 4, IS_LIVE = 8 };
enum { HAS_STOP = 16, HAS_PLAN = 32, HAS_TARGET = 64 };
enum { ODD = -1, EMPTY = -2, MOST_DIGITS = 36, MOST_SCALE = 30, MOST_WAITING = 256 };
/* What `fit` lets through: sums of quantities and of money, in units of their last decimal, and a single price. */
static const double MOST_HELD = 0x1p110, MOST_MONEY = 0x1p120, MOST_PRICE = 0x1p100;

/* Cells of 64 bits. A name that is two below the next takes two cells, low half first. */
enum { P_ACCOUNT, P_STREAM, P_PURSE, P_SIDE, P_FILLS, P_OPENED, P_LAST, P_ID, P_FIRST_ROW, P_LAST_ROW, P_KIND, P_RANK,
       P_MULTIPLIER, P_HELD = 14, P_PEAK = 16, P_QUANTITY = 18, P_ENTRY = 20, P_EXIT = 22, P_COST = 24, P_GROSS = 26,
       P_FEES = 28, P_STOP = 30, P_TARGET = 32, P_PLAN = 34, POSITION_CELLS = 36 };
enum { B_ACCOUNT, B_ROW, B_ID, B_PART, B_CLOSES, B_QUANTITY, B_PRICE = 7, B_GROSS = 9, B_FEES = 11, BOOKING_CELLS = 13 };
enum { T_ACCOUNT, T_PURSE, T_SESSION, T_LAST, T_FILLS, T_WINS, T_LOSSES, T_EVENS, T_WIN_HELD, T_LOSS_HELD, T_PAPER,
       T_LIVE, T_PLANS, T_MULTIPLES, T_OUTCOMES, T_FIRST, T_FIRST_LENGTH, T_RUN, T_RUN_LENGTH, T_LONG_WIN, T_LONG_LOSS,
       T_FALLS, T_GROSS, T_FEES = 24, T_QUANTITY = 26, T_NET = 28, T_HIGH = 30, T_LOW = 32, T_DRAWDOWN = 34,
       T_WON = 36, T_LOST = 38, T_EVEN = 40, T_BEST = 42, T_WORST = 44, T_PLAN_SUM = 46, T_R_SUM = 48, T_R_SQUARES = 50,
       T_TROUGH = 52, T_DEEPEST = 54, TALLY_CELLS = 56 };
/* A fall from a high, of the tally of a purse and session. */
enum { F_ACCOUNT, F_PURSE, F_SESSION, F_HIGH, F_DEPTH = 5, FALL_CELLS = 7 };

typedef struct {
    i64 count;
    const int32_t *stream, *purse;
    const i64 *time, *rank;
    const uint8_t *kind;
    const int32_t *key_ends; /* where each key begins, and where the last one ends */
    const char *keys;
    i64 gap; /* bytes between two keys */
    i64 *values; /* AMOUNTS columns of `count` numbers of two cells */
    int8_t *digits; /* AMOUNTS columns of `count` */
} Fills;

typedef struct {
    i64 streams, purses, accounts;
    const int32_t *account_of, *account_place, *symbol_place; /* of a stream; places tell the order of the names */
    const int32_t *name_ends; /* the names of streams, account and symbol each with a zero behind */
    const char *names;
    const int32_t *purse_account, *total_of; /* of a purse: its account, and the purse of all accounts, −1 for none */
    i64 *scales; /* SCALES an account */
    i64 *positions; /* one a stream, open where P_HELD is not 0 */
    i64 *waiting, waiting_count; /* closed positions whose place among the closed is not known yet */
    i64 *tallies; /* one a purse, in use where it has fills or closed positions */
    i64 session_count;
    const i64 *session_starts; /* one more than sessions */
    const i64 *session_days;
    i64 band, breakeven_breaks_streak; /* the band in 10^-12 */
} Books;

typedef struct {
    i64 *bookings, *positions, *tallies, *falls;
    i64 *touched; /* of every stream that is open: its number, the row of this batch that opened it or −1, its last row */
    i64 booking_count, position_count, tally_count, fall_count, touched_count;
    i64 session; /* index of the session of the last fill */
} Output;

static const i64 TENS[19] = {1LL, 10LL, 100LL, 1000LL, 10000LL, 100000LL, 1000000LL, 10000000LL, 100000000LL,
    1000000000LL, 10000000000LL, 100000000000LL, 1000000000000LL, 10000000000000LL, 100000000000000LL,
    1000000000000000LL, 10000000000000000LL, 100000000000000000LL, 1000000000000000000LL};

static const double UNITS[23] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline i128 get(const i64 *cell) { i128 value; memcpy(&value, cell, 16); return value; }
static inline void put(i64 *cell, i128 value) { memcpy(cell, &value, 16); }
static inline void add(i64 *cell, i128 value) { put(cell, get(cell) + value); }
static inline u128 size(i128 value) { return value < 0 ? -(u128)value : (u128)value; }
static inline i128 power(i64 digits) { /* digits ≤ 36 */
    return (i128)TENS[digits < 18 ? digits : 18] * TENS[digits > 18 ? digits - 18 : 0];
}
static inline double unit(i64 digits) { return digits > 22 ? 1e22 * unit(digits - 22) : UNITS[digits]; }
/* A number of units without its sign. */
static inline double real(const i64 *cell, i64 digits) { return (double)size(get(cell)) / unit(digits); }
static inline int bits(u128 value) {
    uint64_t high = (uint64_t)(value >> 64), low = (uint64_t)value;
    return high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0;
}

/* a × b ÷ c towards zero; the product may need 256 bits. c is above 0 and below 2^126. Sets `*failed` where the quotient
   does not fit. */
static i128 scaled(i128 a, i128 b, i128 c, int *failed) {
    u128 x = size(a), y = size(b);
    int is_negative = (a < 0) != (b < 0);
    if (bits(x) + bits(y) <= 127) {
        u128 quotient = x * y / (u128)c;
        return is_negative ? -(i128)quotient : (i128)quotient;
    }
    if (bits(x) + bits(y) - bits((u128)c) > 124) { *failed = 1; return 0; }
    u128 mask = ~(uint64_t)0, x1 = x >> 64, x0 = x & mask, y1 = y >> 64, y0 = y & mask;
    u128 middle = x1 * y0 + (x0 * y0 >> 64), other = x0 * y1 + (middle & mask);
    u128 low = other << 64 | (x0 * y0 & mask), high = x1 * y1 + (middle >> 64) + (other >> 64);
    u128 rest = high % (u128)c, quotient = 0; /* high ÷ c is 0, as the quotient fits */
    for (int bit = 127; bit >= 0; bit--) {
        rest = rest << 1 | (low >> bit & 1);
        quotient <<= 1;
        if (rest >= (u128)c) rest -= (u128)c, quotient |= 1;
    }
    return is_negative ? -(i128)quotient : (i128)quotient;
}

API i64 version(void) { return VERSION; }

/* Where each of `count` texts begins that zeros part, and where the last one ends, plus one. Returns how many there are. */
API i64 split(i64 length, const char *text, i64 count, int32_t *ends) {
    i64 found = 0;
    ends[found++] = 0;
    for (i64 i = 0; i < length; i++)
        if (!text[i]) { if (found > count) return found + 1; ends[found++] = (int32_t)(i + 1); }
    if (found > count) return found;
    ends[found] = (int32_t)(length + 1);
    return found;
}

/* Mantissa and decimals of every text; EMPTY without one, ODD where it is no plain number of at most 36 digits, of which
   at most 18 are decimals. */
API void parse(i64 count, const int32_t *ends, i64 gap, const char *text, i64 *values, int8_t *digits) {
    for (i64 i = 0; i < count; i++) {
        const char *at = text + ends[i], *end = text + ends[i + 1] - gap;
        int is_negative = at < end && *at == '-', has_point = 0, is_odd;
        if (at == end) { put(values + 2 * i, 0), digits[i] = EMPTY; continue; }
        if (*at == '-' || *at == '+') at++;
        is_odd = at == end || (*at == '.' && at + 1 == end);
        u128 value = 0;
        i64 scale = 0, length = 0, zeros = 0; /* zeros behind the point count once a digit follows */
        for (; at < end && !is_odd; at++) {
            int digit = *at - '0';
            if (*at == '.' && !has_point) { has_point = 1; continue; }
            if (digit < 0 || digit > 9) { is_odd = 1; break; }
            if (has_point && !digit) { zeros++; continue; }
            length += value ? zeros + 1 : digit ? 1 : 0;
            if (length > MOST_DIGITS || scale + zeros + has_point > 18) { is_odd = 1; break; }
            value = value * (u128)TENS[zeros + 1 > 18 ? 18 : zeros + 1] + (u128)digit;
            if (has_point) scale += zeros + 1, zeros = 0;
        }
        put(values + 2 * i, is_negative ? -(i128)value : (i128)value), digits[i] = is_odd ? ODD : (int8_t)scale;
    }
}

/* The first row that does not come after the one before it in (time, account, line of a log, symbol, rank, key), −1 where
   all do. Ranks from 2^32 on are lines of a trade log. */
API i64 disorder(const Fills *fills, const Books *books) {
    for (i64 i = 1, h = 0; i < fills->count; h = i++) {
        i64 here = fills->stream[i], before = fills->stream[h], rank = fills->rank[i], last = fills->rank[h];
        i64 line = rank >> 32 ? rank : 0, last_line = last >> 32 ? last : 0;
        i64 steps[5][2] = {{fills->time[h], fills->time[i]},
                           {books->account_place[before], books->account_place[here]},
                           {last_line, line},
                           {books->symbol_place[before], books->symbol_place[here]},
                           {last, rank}};
        int k = 0;
        while (k < 5 && steps[k][0] == steps[k][1]) k++;
        if (k < 5) { if (steps[k][0] > steps[k][1]) return i; else continue; }
        i64 one = fills->key_ends[i] - fills->key_ends[h], other = fills->key_ends[i + 1] - fills->key_ends[i];
        int sign = memcmp(fills->keys + fills->key_ends[h], fills->keys + fills->key_ends[i],
                          (size_t)((one < other ? one : other) - fills->gap));
        if (sign > 0 || (!sign && one >= other)) return i;
    }
    return -1;
}

/* Decimals of money, given those of the amounts: at least 12, which a proportional share keeps. */
static i64 money_scale(const i64 *scale) {
    i64 value = scale[S_QUANTITY] + scale[S_PRICE] + scale[S_MULTIPLIER], money = value > 12 ? value : 12;
    return scale[S_FEE] > money ? scale[S_FEE] : money;
}

static const int SCALE_OF[AMOUNTS] = {S_QUANTITY, S_PRICE, S_FEE, S_MULTIPLIER, S_PRICE, S_PRICE};
static const int P_MONEY[] = {P_COST, P_GROSS, P_FEES}, P_QUANTITIES[] = {P_HELD, P_PEAK, P_QUANTITY},
                 P_PRICES[] = {P_STOP, P_TARGET}, P_VALUES[] = {P_ENTRY, P_EXIT};
static const int T_MONEY[] = {T_GROSS, T_FEES, T_NET, T_HIGH, T_LOW, T_DRAWDOWN, T_WON, T_LOST, T_EVEN, T_BEST, T_WORST,
                              T_TROUGH, T_DEEPEST};
#define EACH(k, list) (unsigned k = 0; k < sizeof(list) / sizeof *(list); k++)

static void rescale(i64 *row, const int *cells, unsigned count, i64 digits) {
    for (unsigned k = 0; digits && k < count; k++) put(row + cells[k], get(row + cells[k]) * power(digits));
}
#define RESCALE(row, cells, digits) rescale(row, cells, sizeof(cells) / sizeof *(cells), digits)

/* Upper bounds of an account's numbers, in units of one. */
typedef struct { double held, money, price, multiplier, stop; } Bounds;

/* An amount of a fill without its sign; 0 where it has none. */
static double amount_of(const Fills *fills, int k, i64 i) {
    int digits = fills->digits[k * fills->count + i];
    return digits < 0 ? 0 : real(fills->values + 2 * (k * fills->count + i), digits);
}

static inline void raise_to(double *top, double value) { if (value > *top) *top = value; }

/* The decimals each account needs. Returns 0 where an amount is odd or money gets too fine. */
static int find_scales(const Fills *fills, const Books *books, i64 *wanted) {
    i64 n = fills->count;
    memcpy(wanted, books->scales, (size_t)(books->accounts * SCALES) * 8);
    for (int k = 0; k < AMOUNTS; k++)
        for (i64 i = 0; i < n; i++) {
            int digits = fills->digits[k * n + i];
            i64 *scale = wanted + books->account_of[fills->stream[i]] * SCALES + SCALE_OF[k];
            if (digits == ODD || (digits == EMPTY && k < STOP)) return 0;
            if (digits > *scale) *scale = digits;
        }
    for (i64 a = 0; a < books->accounts; a++) {
        i64 *scale = wanted + a * SCALES, money = money_scale(scale);
        if (money > scale[S_MONEY]) scale[S_MONEY] = money;
        if (scale[S_MONEY] > MOST_SCALE) return 0;
    }
    for (i64 p = 0; p < books->purses; p++) { /* the tally of all accounts is as fine as the finest of them */
        if (books->total_of[p] < 0) continue;
        i64 *total = wanted + books->purse_account[books->total_of[p]] * SCALES;
        i64 *own = wanted + books->purse_account[p] * SCALES;
        if (own[S_MONEY] > total[S_MONEY]) total[S_MONEY] = own[S_MONEY];
        if (own[S_QUANTITY] > total[S_QUANTITY]) total[S_QUANTITY] = own[S_QUANTITY];
    }
    return 1;
}

static i64 value_scale(const i64 *held, const i64 *scale) {
    return get(held + P_MULTIPLIER) < 0 ? scale[S_MONEY] : scale[S_QUANTITY] + scale[S_PRICE];
}

static void bound_position(Bounds *bound, const i64 *held, const i64 *scale) {
    double quantity = real(held + P_QUANTITY, scale[S_QUANTITY]), by = bound->multiplier > 1 ? bound->multiplier : 1;
    double value = real(held + P_ENTRY, value_scale(held, scale)) + real(held + P_EXIT, value_scale(held, scale));
    bound->held += quantity, bound->money += (value + quantity * bound->stop) * by;
    for EACH(k, P_MONEY) bound->money += real(held + P_MONEY[k], scale[S_MONEY]);
}

/* Bounds of what the books hold and the fills add: the largest single numbers first, as they bound products. Returns 0
   where an inverse contract has no price. */
static int find_bounds(const Fills *fills, const Books *books, Bounds *bounds) {
    i64 n = fills->count;
    memset(bounds, 0, (size_t)books->accounts * sizeof *bounds);
    for (i64 s = 0; s < books->streams; s++) {
        const i64 *held = books->positions + s * POSITION_CELLS, *scale = books->scales + books->account_of[s] * SCALES;
        if (!get(held + P_HELD)) continue;
        raise_to(&bounds[books->account_of[s]].multiplier, real(held + P_MULTIPLIER, scale[S_MULTIPLIER]));
        raise_to(&bounds[books->account_of[s]].stop, real(held + P_STOP, scale[S_PRICE]));
    }
    for (i64 i = 0; i < n; i++) {
        Bounds *bound = bounds + books->account_of[fills->stream[i]];
        raise_to(&bound->multiplier, amount_of(fills, MULTIPLIER, i)), raise_to(&bound->stop, amount_of(fills, STOP, i));
        raise_to(&bound->price, amount_of(fills, TARGET, i)), raise_to(&bound->price, amount_of(fills, PRICE, i));
    }
    for (i64 i = 0; i < n; i++) {
        Bounds *bound = bounds + books->account_of[fills->stream[i]];
        double quantity = amount_of(fills, QUANTITY, i), price = amount_of(fills, PRICE, i);
        if (get(fills->values + 2 * (MULTIPLIER * n + i)) < 0) { /* an inverse contract: quantity × multiplier ÷ price */
            if (get(fills->values + 2 * (PRICE * n + i)) <= 0) return 0;
            bound->money += quantity * bound->multiplier / price;
        }
        bound->held += quantity;
        bound->money += quantity * (price + bound->stop) * bound->multiplier + amount_of(fills, FEE, i);
    }
    for (i64 s = 0; s < books->streams; s++) {
        const i64 *held = books->positions + s * POSITION_CELLS, account = books->account_of[s];
        if (get(held + P_HELD)) bound_position(bounds + account, held, books->scales + account * SCALES);
    }
    for (i64 w = 0; w < books->waiting_count; w++) {
        const i64 *held = books->waiting + w * POSITION_CELLS;
        bound_position(bounds + held[P_ACCOUNT], held, books->scales + held[P_ACCOUNT] * SCALES);
    }
    for (i64 p = 0; p < books->purses; p++) {
        const i64 *tally = books->tallies + p * TALLY_CELLS, *scale = books->scales + books->purse_account[p] * SCALES;
        Bounds *bound = bounds + books->purse_account[p];
        for EACH(k, T_MONEY) bound->money += real(tally + T_MONEY[k], scale[S_MONEY]);
        bound->held += real(tally + T_QUANTITY, scale[S_QUANTITY]);
    }
    for (i64 p = 0; p < books->purses; p++) /* an account with two currencies counts twice: still a bound */
        if (books->total_of[p] >= 0) {
            Bounds *total = bounds + books->purse_account[books->total_of[p]], *own = bounds + books->purse_account[p];
            total->held += own->held, total->money += own->money;
        }
    return 1;
}

static void rescale_position(i64 *held, const i64 *up) {
    RESCALE(held, P_QUANTITIES, up[S_QUANTITY]);
    RESCALE(held, P_PRICES, up[S_PRICE]);
    RESCALE(held, P_VALUES, value_scale(held, up));
    RESCALE(held, P_MONEY, up[S_MONEY]);
    put(held + P_MULTIPLIER, get(held + P_MULTIPLIER) * power(up[S_MULTIPLIER]));
}

/* Bring the numbers of a batch and of the books to common decimals per account. `wanted` is SCALES an account.
   Returns 0, and changes only `wanted` and `bounds`, where a number or a sum might not fit. */
API i64 fit(const Fills *fills, Books *books, i64 *wanted, Bounds *bounds) {
    i64 n = fills->count;
    if (!find_scales(fills, books, wanted) || !find_bounds(fills, books, bounds)) return 0;
    for (i64 a = 0; a < books->accounts; a++) {
        const i64 *scale = wanted + a * SCALES;
        const Bounds *bound = bounds + a;
        if (!(bound->held * unit(scale[S_QUANTITY]) < MOST_HELD && bound->money * unit(scale[S_MONEY]) < MOST_MONEY &&
              bound->price * unit(scale[S_PRICE]) < MOST_PRICE && bound->stop * unit(scale[S_PRICE]) < MOST_PRICE &&
              bound->multiplier * unit(scale[S_MULTIPLIER]) < MOST_PRICE))
            return 0;
    }
    for (int k = 0; k < AMOUNTS; k++)
        for (i64 i = 0; i < n; i++) {
            i64 up = wanted[books->account_of[fills->stream[i]] * SCALES + SCALE_OF[k]] - fills->digits[k * n + i];
            i64 *value = fills->values + 2 * (k * n + i);
            if (up && fills->digits[k * n + i] >= 0) put(value, get(value) * power(up));
        }
    for (i64 a = 0; a < books->accounts * SCALES; a++) books->scales[a] = wanted[a] - books->scales[a]; /* for now */
    for (i64 s = 0; s < books->streams; s++)
        rescale_position(books->positions + s * POSITION_CELLS, books->scales + books->account_of[s] * SCALES);
    for (i64 w = 0; w < books->waiting_count; w++) {
        i64 *held = books->waiting + w * POSITION_CELLS;
        rescale_position(held, books->scales + held[P_ACCOUNT] * SCALES);
    }
    for (i64 p = 0; p < books->purses; p++) {
        i64 *tally = books->tallies + p * TALLY_CELLS, *up = books->scales + books->purse_account[p] * SCALES;
        RESCALE(tally, T_MONEY, up[S_MONEY]);
        put(tally + T_QUANTITY, get(tally + T_QUANTITY) * power(up[S_QUANTITY]));
    }
    memcpy(books->scales, wanted, (size_t)(books->accounts * SCALES) * 8);
    return 1;
}

/* BLAKE2b with a digest of 8 bytes over two texts one after the other; the first byte of the digest comes out highest. */
static uint64_t digest(const char *one, i64 one_length, const char *other, i64 other_length) {
    static const uint64_t START[8] = {0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179};
    static const uint8_t ORDER[10][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};
    static const uint8_t MIXED[8][4] = {{0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
                                        {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14}};
#define TURNED(x, by) ((x) >> (by) | (x) << (64 - (by)))
    uint64_t state[8], v[16], words[16];
    i64 length = one_length + other_length, done = 0;
    memcpy(state, START, sizeof state);
    state[0] ^= 0x01010008;
    do {
        i64 part = length - done < 128 ? length - done : 128;
        char block[128] = {0};
        for (i64 k = 0; k < part; k++) block[k] = done + k < one_length ? one[done + k] : other[done + k - one_length];
        memcpy(words, block, sizeof words);
        done += part;
        memcpy(v, state, sizeof state), memcpy(v + 8, START, sizeof START);
        v[12] ^= (uint64_t)done;
        if (done == length) v[14] = ~v[14];
        for (int turn = 0; turn < 12; turn++)
            for (int k = 0; k < 8; k++) {
                const uint8_t *order = ORDER[turn % 10] + 2 * k;
                uint64_t *a = v + MIXED[k][0], *b = v + MIXED[k][1], *c = v + MIXED[k][2], *d = v + MIXED[k][3];
                *a += *b + words[order[0]], *d = TURNED(*d ^ *a, 32), *c += *d, *b = TURNED(*b ^ *c, 24);
                *a += *b + words[order[1]], *d = TURNED(*d ^ *a, 16), *c += *d, *b = TURNED(*b ^ *c, 63);
            }
        for (int k = 0; k < 8; k++) state[k] ^= v[k] ^ v[k + 8];
    } while (done < length);
    return __builtin_bswap64(state[0]);
}

/* The coins, above 0, that a quantity of inverse contracts is worth, cut after 12 decimals, in units of money. */
static i128 inverse_value(i128 quantity, i128 price, i128 multiplier, const i64 *scale, int *failed) {
    i64 up = 12 + scale[S_PRICE] - scale[S_QUANTITY] - scale[S_MULTIPLIER];
    i128 contracts = scaled(quantity, -multiplier, 1, failed), by = price;
    if (!price) return 0;
    if (price < 0) { *failed = 1; return 0; }
    if (up < 0) {
        if (bits(size(price)) + bits((u128)power(-up)) > 125) { *failed = 1; return 0; }
        by = price * power(-up), up = 0;
    }
    return scaled(scaled(contracts, power(up), by, failed), power(scale[S_MONEY] - 12), 1, failed);
}

/* What a quantity at a price adds to entry or exit value, and (in `*money`) to the cost. */
static i128 value_of(i128 quantity, i128 price, i128 multiplier, const i64 *scale, i128 *money, int *failed) {
    if (multiplier < 0) {
        i128 coins = inverse_value(quantity, price, multiplier, scale, failed);
        *money = -coins;
        return coins;
    }
    i128 value = quantity * price;
    *money = value * multiplier * power(scale[S_MONEY] - scale[S_QUANTITY] - scale[S_PRICE] - scale[S_MULTIPLIER]);
    return value;
}

static int is_used(const i64 *tally) { return tally[T_FILLS] || tally[T_WINS] || tally[T_LOSSES] || tally[T_EVENS]; }

static i64 *tally_of(const Books *books, i64 purse, i64 session) {
    i64 *tally = books->tallies + purse * TALLY_CELLS;
    if (!is_used(tally)) {
        memset(tally, 0, TALLY_CELLS * 8);
        tally[T_ACCOUNT] = books->purse_account[purse], tally[T_PURSE] = purse;
        tally[T_SESSION] = books->session_days[session];
    }
    return tally;
}

static void put_fall(Output *out, i64 *tally) {
    i64 *fall = out->falls + out->fall_count * FALL_CELLS;
    i128 depth = get(tally + T_HIGH) - get(tally + T_TROUGH);
    if (tally[T_FALLS] && depth <= get(tally + T_DEEPEST)) return;
    fall[F_ACCOUNT] = tally[T_ACCOUNT], fall[F_PURSE] = tally[T_PURSE], fall[F_SESSION] = tally[T_SESSION];
    put(fall + F_HIGH, get(tally + T_HIGH)), put(fall + F_DEPTH, depth);
    tally[T_FALLS]++, put(tally + T_DEEPEST, depth), out->fall_count++;
}

/* `up` and `more` bring money and quantity to the decimals of the tally. */
static void tally_booking(const Books *books, Output *out, i64 purse, i64 session, i64 at, i128 gross, i128 fees,
                          i128 quantity, i128 up, i128 more) {
    i64 *tally = tally_of(books, purse, session);
    tally[T_FILLS]++, tally[T_LAST] = at;
    add(tally + T_GROSS, gross * up), add(tally + T_FEES, fees * up), add(tally + T_QUANTITY, quantity * more);
    add(tally + T_NET, (gross - fees) * up);
    i128 net = get(tally + T_NET);
    if (net > get(tally + T_HIGH)) {
        put_fall(out, tally);
        put(tally + T_HIGH, net), put(tally + T_TROUGH, net);
    } else if (net < get(tally + T_TROUGH)) put(tally + T_TROUGH, net);
    if (net < get(tally + T_LOW)) put(tally + T_LOW, net);
    if (get(tally + T_HIGH) - net > get(tally + T_DRAWDOWN)) put(tally + T_DRAWDOWN, get(tally + T_HIGH) - net);
}

static void tally_outcome(i64 *tally, i64 kind) {
    i64 length = tally[T_OUTCOMES] && kind == tally[T_RUN] ? tally[T_RUN_LENGTH] + 1 : 1;
    tally[T_OUTCOMES]++, tally[T_RUN] = kind, tally[T_RUN_LENGTH] = length;
    if (length == tally[T_OUTCOMES]) tally[T_FIRST] = kind, tally[T_FIRST_LENGTH] = length;
    if (kind > 0 && length > tally[T_LONG_WIN]) tally[T_LONG_WIN] = length;
    if (kind < 0 && length > tally[T_LONG_LOSS]) tally[T_LONG_LOSS] = length;
}

/* A closed position's net ÷ initial risk to 8 decimals. Returns 0 where there is no risk. */
static int multiple_of(const i64 *held, const i64 *scale, i128 net, i128 *multiple, int *failed) {
    i128 risk, money;
    if (!(held[P_KIND] & HAS_STOP)) return 0;
    i128 stopped = value_of(get(held + P_QUANTITY), get(held + P_STOP), get(held + P_MULTIPLIER), scale, &money, failed);
    risk = get(held + P_ENTRY) - stopped;
    if (risk < 0) risk = -risk;
    if (get(held + P_MULTIPLIER) > 0)
        risk *= get(held + P_MULTIPLIER) *
                power(scale[S_MONEY] - scale[S_QUANTITY] - scale[S_PRICE] - scale[S_MULTIPLIER]);
    if (!risk) return 0;
    *multiple = scaled(net, TENS[8], risk, failed);
    return 1;
}

/* Count a closed position in the tally of a purse. Returns 0 where a sum might not fit. */
static int tally_closed(const Books *books, i64 purse, i64 session, const i64 *held, i128 up) {
    const i64 *scale = books->scales + held[P_ACCOUNT] * SCALES;
    i64 *tally = tally_of(books, purse, session), held_us = held[P_LAST] - held[P_OPENED], kind;
    i128 own = get(held + P_GROSS) - get(held + P_FEES), net = own * up, multiple;
    i128 band = (i128)books->band * power(scale[S_MONEY] - 12);
    int failed = 0;
    if (held[P_LAST] > tally[T_LAST]) tally[T_LAST] = held[P_LAST]; /* it may have waited */
    kind = own > band ? 1 : own < -band ? -1 : 0;
    if (kind > 0) {
        if (!tally[T_WINS]++ || net > get(tally + T_BEST)) put(tally + T_BEST, net);
        tally[T_WIN_HELD] += held_us, add(tally + T_WON, net);
    } else if (kind < 0) {
        if (!tally[T_LOSSES]++ || net < get(tally + T_WORST)) put(tally + T_WORST, net);
        tally[T_LOSS_HELD] += held_us, add(tally + T_LOST, net);
    } else tally[T_EVENS]++, add(tally + T_EVEN, net);
    if (kind || books->breakeven_breaks_streak) tally_outcome(tally, kind);
    tally[T_PAPER] += !!(held[P_KIND] & IS_PAPER), tally[T_LIVE] += !!(held[P_KIND] & IS_LIVE);
    if (held[P_KIND] & HAS_PLAN) tally[T_PLANS]++, add(tally + T_PLAN_SUM, get(held + P_PLAN));
    if (multiple_of(held, scale, own, &multiple, &failed)) {
        if (bits(size(multiple)) > 50 || tally[T_MULTIPLES] >> 20) return 0;
        tally[T_MULTIPLES]++, add(tally + T_R_SUM, multiple), add(tally + T_R_SQUARES, multiple * multiple);
    }
    return !failed;
}

/* The planned (target − entry) ÷ (entry − stop) to 8 decimals, where it is above 0. */
static void plan(i64 *held, i128 entry, int *failed) {
    i128 gain = get(held + P_TARGET) - entry, risk = entry - get(held + P_STOP);
    if (!risk) return;
    i128 planned = scaled(risk < 0 ? -gain : gain, TENS[8], risk < 0 ? -risk : risk, failed);
    if (bits(size(planned)) > 90) *failed = 1;
    if (planned > 0) put(held + P_PLAN, planned), held[P_KIND] |= HAS_PLAN;
}

static i128 finer(const Books *books, i64 purse, i64 account, int which) {
    return power(books->scales[books->purse_account[purse] * SCALES + which] - books->scales[account * SCALES + which]);
}

/* Whether two closings stand at one place but for their keys: then they count in order of their ids. */
static int are_level(const Books *books, const i64 *one, const i64 *other) {
    return one[P_LAST] == other[P_LAST] && one[P_RANK] == other[P_RANK] && one[P_ACCOUNT] == other[P_ACCOUNT] &&
           books->symbol_place[one[P_STREAM]] == books->symbol_place[other[P_STREAM]];
}

/* Count the waiting closed positions in their tallies, in order of their ids. */
static int flush_waiting(Books *books, i64 session) {
    for (; books->waiting_count; books->waiting_count--) {
        i64 *last = books->waiting + (books->waiting_count - 1) * POSITION_CELLS, *next = books->waiting;
        for (i64 *one = next; one <= last; one += POSITION_CELLS)
            if ((uint64_t)one[P_ID] < (uint64_t)next[P_ID]) next = one;
        i64 purse = next[P_PURSE], total = books->total_of[purse], account = next[P_ACCOUNT];
        if (!tally_closed(books, purse, session, next, 1)) return 0;
        if (total >= 0 && !tally_closed(books, total, session, next, finer(books, total, account, S_MONEY))) return 0;
        memmove(next, last, POSITION_CELLS * 8);
    }
    return 1;
}

static void end_session(const Books *books, Output *out) {
    for (i64 p = 0; p < books->purses; p++) {
        i64 *tally = books->tallies + p * TALLY_CELLS, *done = out->tallies + out->tally_count * TALLY_CELLS;
        if (!is_used(tally)) continue;
        if (tally[T_FILLS]) put_fall(out, tally);
        memcpy(done, tally, TALLY_CELLS * 8);
        memset(tally, 0, TALLY_CELLS * 8);
        out->tally_count++;
    }
}

/* Count what waits and give out the tallies of the last session. Returns 0 where a sum might not fit. */
API i64 finish(Books *books, Output *out) {
    if (!flush_waiting(books, out->session)) return 0;
    end_session(books, out);
    return 1;
}

/* Fold fills that `disorder` and `fit` have passed. Returns −1, or the row that needs the exact lane: then neither books
   nor output may be used. */
API i64 fold(const Fills *fills, Books *books, Output *out) {
    i64 n = fills->count;
    int failed = 0;
    for (i64 i = 0; i < n; i++) {
        i64 stream = fills->stream[i], purse = fills->purse[i], at = fills->time[i], kind = fills->kind[i];
        i64 side = kind & IS_BUY ? 1 : -1, part = 0, account = books->account_of[stream], total = books->total_of[purse];
        const i64 *scale = books->scales + account * SCALES;
        i128 quantity = get(fills->values + 2 * (QUANTITY * n + i)), price = get(fills->values + 2 * (PRICE * n + i));
        i128 fees = get(fills->values + 2 * (FEE * n + i)) * power(scale[S_MONEY] - scale[S_FEE]);
        i128 cut = power(scale[S_MONEY] - 12);
        i128 up = 1, more = 1;
        if (total >= 0) up = finer(books, total, account, S_MONEY), more = finer(books, total, account, S_QUANTITY);
        i64 *held = books->positions + stream * POSITION_CELLS;
        if (quantity <= 0) return i;
        if (at >= books->session_starts[out->session + 1]) {
            if (!flush_waiting(books, out->session)) return i;
            end_session(books, out);
            i64 low = out->session + 1, high = books->session_count;
            while (low < high) {
                i64 middle = (low + high) / 2;
                if (books->session_starts[middle] <= at) low = middle + 1; else high = middle;
            }
            out->session = low - 1;
        }
        for (;;) { /* at most twice: a fill beyond what is open closes, then opens */
            i128 left = get(held + P_HELD), moved = quantity, beyond = 0, paid = fees, gross = 0, money;
            i64 closes = 0;
            if (!part && left && held[P_SIDE] != side) {
                i128 cost = get(held + P_COST);
                closes = quantity >= left, beyond = closes ? quantity - left : 0;
                if (beyond) moved = left, paid = scaled(fees, left, quantity, &failed) / cut * cut;
                if (!closes) cost = scaled(cost, quantity, left, &failed) / cut * cut;
                i128 value = value_of(moved, price, get(held + P_MULTIPLIER), scale, &money, &failed);
                gross = side > 0 ? cost - money : money - cost;
                add(held + P_COST, -cost), add(held + P_EXIT, value), add(held + P_GROSS, gross);
                put(held + P_HELD, left - moved);
            } else {
                if (kind & CLOSES) return i;
                if (!left) {
                    i64 from = fills->key_ends[i], name = books->name_ends[stream];
                    memset(held, 0, POSITION_CELLS * 8);
                    held[P_ACCOUNT] = account, held[P_STREAM] = stream, held[P_PURSE] = purse, held[P_SIDE] = side;
                    held[P_OPENED] = at, held[P_FIRST_ROW] = i, held[P_KIND] = kind & (IS_PAPER | IS_LIVE);
                    held[P_ID] = (i64)digest(books->names + name, books->name_ends[stream + 1] - name, fills->keys + from,
                                             fills->key_ends[i + 1] - from - fills->gap);
                    put(held + P_MULTIPLIER, get(fills->values + 2 * (MULTIPLIER * n + i)));
                    if (fills->digits[STOP * n + i] >= 0) {
                        held[P_KIND] |= HAS_STOP, put(held + P_STOP, get(fills->values + 2 * (STOP * n + i)));
                    }
                    if (fills->digits[TARGET * n + i] >= 0) {
                        put(held + P_TARGET, get(fills->values + 2 * (TARGET * n + i)));
                        if (held[P_KIND] & HAS_STOP) plan(held, price, &failed);
                        held[P_KIND] |= HAS_TARGET;
                    }
                }
                add(held + P_ENTRY, value_of(moved, price, get(held + P_MULTIPLIER), scale, &money, &failed));
                add(held + P_COST, money), add(held + P_QUANTITY, moved), add(held + P_HELD, moved);
                if (get(held + P_HELD) > get(held + P_PEAK)) put(held + P_PEAK, get(held + P_HELD));
            }
            if (failed) return i;
            add(held + P_FEES, paid), held[P_FILLS]++, held[P_LAST] = at, held[P_LAST_ROW] = i, held[P_RANK] = fills->rank[i];
            i64 *booking = out->bookings + out->booking_count++ * BOOKING_CELLS;
            booking[B_ACCOUNT] = account, booking[B_ROW] = i, booking[B_ID] = held[P_ID], booking[B_PART] = part;
            booking[B_CLOSES] = closes, put(booking + B_QUANTITY, moved * side), put(booking + B_PRICE, price);
            put(booking + B_GROSS, gross), put(booking + B_FEES, paid);
            tally_booking(books, out, purse, out->session, at, gross, paid, moved, 1, 1);
            if (total >= 0) tally_booking(books, out, total, out->session, at, gross, paid, moved, up, more);
            if (closes) {
                int is_next = books->waiting_count && !are_level(books, books->waiting, held);
                if (is_next && !flush_waiting(books, out->session)) return i;
                if (books->waiting_count == MOST_WAITING) return i;
                memcpy(books->waiting + books->waiting_count++ * POSITION_CELLS, held, POSITION_CELLS * 8);
                memcpy(out->positions + out->position_count++ * POSITION_CELLS, held, POSITION_CELLS * 8);
            }
            if (!beyond) break;
            quantity = beyond, fees -= paid, part = 1;
        }
    }
    for (i64 s = 0; s < books->streams; s++) {
        i64 *held = books->positions + s * POSITION_CELLS, *touched = out->touched + 3 * out->touched_count;
        if (!get(held + P_HELD) || held[P_LAST_ROW] < 0) continue;
        touched[0] = s, touched[1] = held[P_FIRST_ROW], touched[2] = held[P_LAST_ROW];
        held[P_FIRST_ROW] = held[P_LAST_ROW] = -1, out->touched_count++;
    }
    return -1;
}

/* The canonical text of the number at a cell of every row, each with a zero behind: no exponent, no trailing zeros.
   Its decimals are the sum of those that `which` has bits for, of the account in the first cell; with `flat` they are
   `flat` for all. Where `inverse` is a cell of a number below 0, they are those of money. Returns the bytes written. */
API i64 format(i64 count, const i64 *rows, i64 cells, i64 cell, const i64 *scales, i64 which, i64 flat, i64 inverse,
               char *text) {
    char digits[48], *out = text;
    for (i64 i = 0; i < count; i++) {
        const i64 *row = rows + i * cells;
        i128 value = get(row + cell);
        u128 rest = size(value);
        i64 scale = flat, length = 0;
        if (flat < 0) {
            scale = 0;
            if (inverse >= 0 && get(row + inverse) < 0) scale = scales[row[0] * SCALES + S_MONEY];
            else for (int k = 0; k < SCALES; k++) if (which >> k & 1) scale += scales[row[0] * SCALES + k];
        }
        while (scale && rest && !(rest % 10)) rest /= 10, scale--;
        if (!rest) scale = 0;
        for (; rest >> 64; rest /= 10) digits[length++] = (char)('0' + (int)(rest % 10));
        for (uint64_t small = (uint64_t)rest; small; small /= 10) digits[length++] = (char)('0' + (int)(small % 10));
        while (length <= scale) digits[length++] = '0';
        if (value < 0) *out++ = '-';
        for (i64 k = length - 1; k >= 0; k--) {
            *out++ = digits[k];
            if (k == scale && scale) *out++ = '.';
        }
        *out++ = 0;
    }
    return out - text;
}

/* The ids at a cell of every row as 16 hexadecimal digits, each with a zero behind. */
API void hex(i64 count, const i64 *rows, i64 cells, i64 cell, char *text) {
    for (i64 i = 0; i < count; i++, text += 17) {
        uint64_t id = (uint64_t)rows[i * cells + cell];
        for (int k = 0; k < 16; k++) text[k] = "0123456789abcdef"[id >> (60 - 4 * k) & 15];
        text[16] = 0;
    }
}

/* The keys by which the ledger sorts the number at a cell of every row, less that at another cell unless this is below 0:
   the place of its first digit and its first 16 digits, as `sortable` defines. Its decimals are as in `format`. */
API void sort_keys(i64 count, const i64 *rows, i64 cells, i64 cell, i64 less, const i64 *scales, i64 which, i64 *keys) {
    for (i64 i = 0; i < count; i++) {
        const i64 *row = rows + i * cells;
        i128 value = get(row + cell) - (less < 0 ? 0 : get(row + less));
        u128 rest = size(value);
        i64 scale = 0, length = 0;
        for (int k = 0; k < SCALES; k++) if (which >> k & 1) scale += scales[row[0] * SCALES + k];
        for (u128 left = rest; left; left /= 10) length++;
        if (length > 16) rest /= (u128)power(length - 16); else rest *= (u128)power(16 - length);
        i64 key = (length - 1 - scale + 400) * 10000000000000000LL + (i64)rest;
        keys[i] = !length ? 0 : value < 0 ? -key : key;
    }
}

static i64 digits_of(const char **at, i64 count) { /* -1 where these are not so many digits */
    i64 value = 0;
    for (const char *end = *at + count; *at < end; (*at)++) {
        if (**at < '0' || **at > '9') return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static int take(const char **at, char what) { return **at == what ? (*at)++, 1 : 0; }

/* Microseconds since 1970 of texts like 2026-01-09T14:32:15.123456+01:00 of the years 1971 to 2098; a time without an
   offset is in UTC, if `is_utc`. Returns how many are others, whose value is the least of 64 bits. Each text ends in a
   zero, which no field accepts, so that none is read beyond its end. */
API i64 times(i64 count, const int32_t *ends, const char *text, i64 is_utc, i64 *micros) {
    static const int DAYS[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    i64 odd = 0;
    for (i64 i = 0; i < count; i++) {
        const char *at = text + ends[i], *end = text + ends[i + 1] - 1;
        i64 year, month, day, hour, minute, second, fraction = 0, offset = 0;
        micros[i] = INT64_MIN, odd++;
        if ((year = digits_of(&at, 4)) < 1971 || year > 2098 || !take(&at, '-')) continue;
        if ((month = digits_of(&at, 2)) < 1 || month > 12 || !take(&at, '-')) continue;
        int is_leap = !(year % 4) && (year % 100 || !(year % 400));
        if ((day = digits_of(&at, 2)) < 1 || day > DAYS[month - 1] + (month == 2 && is_leap)) continue;
        if (!take(&at, 'T') && !take(&at, ' ')) continue;
        if ((hour = digits_of(&at, 2)) < 0 || hour > 23 || !take(&at, ':')) continue;
        if ((minute = digits_of(&at, 2)) < 0 || minute > 59 || !take(&at, ':')) continue;
        if ((second = digits_of(&at, 2)) < 0 || second > 59) continue;
        if (take(&at, '.')) {
            const char *first = at;
            for (i64 unit = 100000; unit && *at >= '0' && *at <= '9'; unit /= 10) fraction += unit * (*at++ - '0');
            if (at == first) continue;
        }
        if (*at == '+' || *at == '-') {
            int is_west = *at++ == '-';
            i64 hours, minutes;
            if ((hours = digits_of(&at, 2)) < 0 || hours > 23 || !take(&at, ':')) continue;
            if ((minutes = digits_of(&at, 2)) < 0 || minutes > 59) continue;
            offset = (hours * 60 + minutes) * (is_west ? -60 : 60);
        } else if (!take(&at, 'Z') && !is_utc) continue;
        if (at != end) continue;
        i64 march = (month + 9) % 12, years = year - (month < 3); /* days since the first of March of the year 0 */
        i64 days = 365 * years + years / 4 - years / 100 + years / 400 + (march * 306 + 5) / 10 + day - 1 - 719468;
        micros[i] = ((days * 24 + hour) * 60 + minute) * 60000000 + (second - offset) * 1000000 + fraction, odd--;
    }
    return odd;
}
