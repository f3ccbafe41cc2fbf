/* Posts per city (their key) in windows of five minutes. */
#include "topology.h"

int main(int argc, char **argv)
{
	return weir_main(argc, argv, city_counts);
}
