#include "apps/examples/1-windowed-count/topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, city_counts);
}
