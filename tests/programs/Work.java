// Truth: half of the samples of the thread `main` have Work.loops below Work.main, half Work.recurse at
// its full depth of 20 calls; both spin in Work.burn. It prints "ready" when all of them are compiled.
public class Work {
    static final int UNIT = 100_000;
    static final int DEPTH = 20;
    static final int WARM_UP = 2_000;
    static volatile long sink;

    static long burn(int iterations) {
        long x = iterations | 1;
        for (int i = 0; i < iterations; i++)
            x = x * 6364136223846793005L + 1442695040888963407L;
        return x;
    }

    static long loops() {
        return burn(UNIT) ^ 1;
    }

    static long recurse(int depth) {
        return depth > 1 ? recurse(depth - 1) + 1 : burn(UNIT) + 1;
    }

    static void work() {
        sink += loops();
        sink += recurse(DEPTH);
    }

    public static void main(String[] words) {
        for (int i = 0; i < WARM_UP; i++)
            work();
        System.out.println("ready");
        for (;;)
            work();
    }
}
