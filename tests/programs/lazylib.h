/* The functions of lazylib.c, 256 of them. */
#ifndef EBPROF_TESTS_LAZYLIB_H
#define EBPROF_TESTS_LAZYLIB_H

enum { FUNCTIONS = 256 };

#define FOUR(X, name) X(name##0) X(name##1) X(name##2) X(name##3)
#define SIXTEEN(X, name) FOUR(X, name##0) FOUR(X, name##1) FOUR(X, name##2) FOUR(X, name##3)
#define SIXTY_FOUR(X, name) \
	SIXTEEN(X, name##0) SIXTEEN(X, name##1) SIXTEEN(X, name##2) SIXTEEN(X, name##3)
#define EACH_FUNCTION(X) \
	SIXTY_FOUR(X, lazy_0) SIXTY_FOUR(X, lazy_1) SIXTY_FOUR(X, lazy_2) SIXTY_FOUR(X, lazy_3)

#define DECLARE(name) void name(void);
EACH_FUNCTION(DECLARE)

#endif
