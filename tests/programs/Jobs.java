// Usage: Jobs [MICROSECONDS]
//
// Truth: all work is in Jobs.job, each for about MICROSECONDS (2000) in a thread of its own.
public class Jobs {
    static volatile long sink;

    static void job(int microseconds) {
        long x = 1;
        for (int i = 0; i < 1_000 * microseconds; i++)
            x = x * 6364136223846793005L + 1442695040888963407L;
        sink += x;
    }

    public static void main(String[] words) throws InterruptedException {
        int microseconds = words.length > 0 ? Integer.parseInt(words[0]) : 2_000;

        System.out.println("ready");
        for (;;) {
            Thread thread = new Thread(() -> job(microseconds));
            thread.start();
            thread.join();
        }
    }
}
