// Truth: all work is in Jobs.job, each for about 2 ms in a thread of its own.
public class Jobs {
    static volatile long sink;

    static void job() {
        long x = 1;
        for (int i = 0; i < 2_000_000; i++)
            x = x * 6364136223846793005L + 1442695040888963407L;
        sink += x;
    }

    public static void main(String[] words) throws InterruptedException {
        System.out.println("ready");
        for (;;) {
            Thread thread = new Thread(Jobs::job);
            thread.start();
            thread.join();
        }
    }
}
