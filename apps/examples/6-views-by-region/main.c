#include "apps/examples/6-views-by-region/topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, views_by_region);
}
