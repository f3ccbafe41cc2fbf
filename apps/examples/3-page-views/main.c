#include "apps/examples/3-page-views/topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, page_views);
}
