// Truth: two functions `ns::over`, two `ns::generic`, one `ns::Part::run` and one `hidden`.
#include "program.h"

namespace ns {

NOINLINE int over(int number)
{
	return number + (int)sink;
}

NOINLINE int over(double number)
{
	return (int)number - (int)sink;
}

template <typename T> NOINLINE T generic(T number)
{
	return number + (T)sink;
}

namespace {

NOINLINE int hidden(int number)
{
	return generic(number) + (int)generic(0.5 * number);
}

}

struct Part {
	int run(int number);
};

NOINLINE int Part::run(int number)
{
	return hidden(number) + over(number) + over(2.0 * number);
}

}

int main(int argc, char **argv)
{
	ready(argc, argv);
	return ns::Part().run(argc);
}
