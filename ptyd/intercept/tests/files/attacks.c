/* Attacks on a judge: one thread calls, another changes what the call means.
 * attacks text|outside|symlink|exchange|move SECONDS, in a folder with free/file, guarded/secret ("secret text"), one/secret,
 * two -> guarded, repo/. Prints "leaks N": how often something of guarded/ was had, or repo/git/hooks came into being. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int stop;
static char path[64] = "free/file";
static long leaks, wins, tries;

static void spin(int turns) { for (volatile int i = 0; i < turns; i++) {} }

/* One thread swaps the text itself. */
static void *text(void *unused) {
    while (!stop) {
        memcpy(path, "free/file\0\0\0\0\0\0\0", 16); __asm__ volatile("" ::: "memory"); spin(700);
        memcpy(path, "guarded/secret\0\0", 16); __asm__ volatile("" ::: "memory"); spin(700);
    }
    return unused;
}

/* One swaps it for a file far away, which is read without any doubt. */
static void *outside(void *unused) {
    while (!stop) {
        memcpy(path, "/etc/passwd\0\0\0\0\0", 16); __asm__ volatile("" ::: "memory"); spin(700);
        memcpy(path, "guarded/secret\0\0", 16); __asm__ volatile("" ::: "memory"); spin(700);
    }
    return unused;
}

/* One swaps what a name leads to. */
static void *symlinks(void *unused) {
    while (!stop) {
        symlink("../guarded/secret", "free/a"); rename("free/a", "free/swap");
        symlink("file", "free/b"); rename("free/b", "free/swap");
    }
    return unused;
}

/* One exchanges a folder with a link to the guarded one. */
static void *exchange(void *unused) {
    while (!stop) syscall(SYS_renameat2, AT_FDCWD, "one", AT_FDCWD, "two", 2);
    return unused;
}

/* One brings a tree under a guarded name while the other fills it. */
static void *tree(void *unused) {
    while (!stop) {
        mkdir("grow", 0777); mkdir("grow/hooks", 0777);
        rename("grow", "repo/git");
        if (access("repo/git/hooks", F_OK) == 0) leaks++;
        rmdir("repo/git/hooks"); rmdir("repo/git"); unlink("grow/hooks"); rmdir("grow/hooks"); rmdir("grow");
    }
    return unused;
}

static void look(int fd) {
    char text[32] = {0};
    tries++;
    if (fd < 0) return;
    wins++;
    if (read(fd, text, sizeof text - 1) > 0 && strstr(text, "secret")) leaks++;
    close(fd);
}

int main(int count, char **args) {
    (void)count;
    char *kind = args[1];
    time_t end = time(0) + atoi(args[2]);
    void *(*other)(void *) = kind[0] == 't' ? text : kind[0] == 'o' ? outside : kind[0] == 's' ? symlinks : kind[0] == 'e' ? exchange : tree;
    char *name = kind[0] == 't' || kind[0] == 'o' ? path : kind[0] == 's' ? "free/swap" : "one/secret";
    pthread_t thread;
    pthread_create(&thread, 0, other, 0);
    while (time(0) < end) {
        if (kind[0] == 'm') {
            mkdir("grow/hooks", 0777); tries++; wins++;
            if (access("repo/git/hooks", F_OK) == 0) leaks++;
            continue;
        }
        look(open(name, O_RDONLY));
        if (kind[0] == 'o') continue;
        int fd = open(name, O_RDWR | O_CREAT, 0666);
        look(fd);
        truncate(name, 5);
        chmod(name, 0600);
        link(name, "free/linked"); look(open("free/linked", O_RDONLY)); unlink("free/linked");
        if (kind[0] == 'e') continue;
        rename(name, "free/took"); look(open("free/took", O_RDONLY)); unlink("free/took");
        symlink("file", "free/swap"); unlink(name);
        close(open("free/file", O_RDWR | O_CREAT, 0666));
    }
    stop = 1;
    pthread_join(thread, 0);
    printf("leaks %ld\n", leaks);
    fprintf(stderr, "%s: %ld tries, %ld opened\n", kind, tries, wins);
    return tries == 0 || wins == 0;
}
