#include "apps/examples/5-hopping-average/topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, hopping_averages);
}
